import { mkdtemp, rename, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '@relaypacs/core/config.js';
import { listUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { FileStorage } from '@relaypacs/core/storage/file-storage.js';
import type { FileOpener } from '@relaypacs/core/storage/uploaded-files.js';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { EmbeddedPostgres } from '../scripts/embedded-postgres.js';
import { takeInUpload } from '../worker/src/intake/take-in-upload.js';
import { IsolatedTasks } from '../worker/src/isolation/isolated-tasks.js';
import { RENEW_MS } from '../worker/src/row-claim.js';
import { startDatabase } from './support/database-template.js';
import { DeliveryFixture, makeStudy } from './support/delivery-fixture.js';

let directory: string;
let postgres: EmbeddedPostgres;
let fixture: DeliveryFixture;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relaypacs intake-'));
  postgres = await startDatabase(directory);
  fixture = new DeliveryFixture(postgres.url, await mkdtemp(path.join(directory, 'storage-')));
});
afterAll(async () => {
  await fixture?.close();
  await tasks.close();
  await postgres?.stop();
  await rm(directory, { recursive: true, force: true });
});

const tasks = new IsolatedTasks();
const { intake, uploads, pacs } = loadConfig({ DATABASE_URL: 'postgres://not-used/' });

const deps = ({ db, transact, files, storage, logger } = fixture) => ({
  db,
  transact,
  files,
  storage,
  logger,
  config: { intake, uploads, pacs },
  tasks,
  stopping: new AbortController().signal,
});

/** An upload of so many files that has just been received. */
async function addReceived(count: number): Promise<{ uploadId: string; fileIds: string[] }> {
  const { uploadId } = await fixture.addUpload(makeStudy(count));
  await fixture.db('studies').where({ uploadId }).delete();
  await fixture.db('uploads').where({ id: uploadId }).update({ status: 'received' });
  await fixture.db('uploadFiles').where({ uploadId }).update({ status: 'received' });
  return { uploadId, fileIds: (await listUploadFiles(fixture.db, uploadId)).map(({ id }) => id) };
}

it('refuses the files whose stored bytes are gone or cut short, and hands on the others', async () => {
  const { uploadId, fileIds } = await addReceived(4);
  const file = (index: number) => path.join(fixture.directory, fileIds[index]!);
  await rm(file(1));
  await truncate(file(2), 700);
  await takeInUpload(deps(), uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'delivering', attempts: 1 });
  const files = await listUploadFiles(fixture.db, uploadId);
  expect(files.map(({ status, problem }) => [status, problem?.code])).toEqual([
    ['accepted', undefined],
    ['rejected', 'STORED_BYTES_DAMAGED'],
    ['rejected', 'STORED_BYTES_DAMAGED'],
    ['accepted', undefined],
  ]);
});

it('tries again, and refuses nothing, when all the bytes are away: that is the storage and not the files', async () => {
  const { uploadId, fileIds } = await addReceived(2);
  const away = await mkdtemp(path.join(directory, 'away-'));
  for (const id of fileIds) await rename(path.join(fixture.directory, id), path.join(away, id));
  await takeInUpload(deps(), uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'processing', attempts: 1, problem: null });
  for (const id of fileIds) await rename(path.join(away, id), path.join(fixture.directory, id));
  await takeInUpload(deps(), uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'delivering', attempts: 2 });
});

it('reads nothing more of an upload once it has given it back', async () => {
  const { uploadId, fileIds } = await addReceived(10);
  const opened: string[] = [];
  const done: string[] = [];
  const opener: FileOpener = {
    async open(id) {
      opened.push(id);
      if (id === fileIds[0]) throw new Error('EIO: i/o error');
      await sleep(300);
      done.push(id);
      return fixture.files.open(id);
    },
  };
  const files = { ...opener, locate: async () => opener };
  await takeInUpload({ ...deps(), files }, uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({
    status: 'processing',
    claimedBy: null,
    nextAttemptAt: expect.any(Date),
  });
  // Four are read side by side: the others were let finish, no fifth was begun.
  expect(opened).toEqual(fileIds.slice(0, 4));
  expect(done).toEqual(fileIds.slice(1, 4));
});

it('asks the database no more often for many files than for few', async () => {
  const [few, many] = [await addReceived(2), await addReceived(40)];
  let statements = 0;
  const count = () => {
    statements += 1;
  };
  fixture.db.on('query', count);
  await takeInUpload(deps(), few.uploadId);
  const forFew = statements;
  statements = 0;
  await takeInUpload(deps(), many.uploadId);
  fixture.db.off('query', count);
  expect(await fixture.upload(many.uploadId)).toMatchObject({ status: 'delivering' });
  expect(statements).toBe(forFew);
});

it('ends with words for people when its workers die over an upload time after time', async () => {
  const { uploadId } = await addReceived(1);
  await fixture.db('uploads').where({ id: uploadId }).update({ status: 'processing', attempts: 20 });
  await takeInUpload(deps(), uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({
    status: 'failed',
    problem: { code: 'INTAKE_FAILED' },
  });
});

it('begins again when other digests are announced after they were compared', async () => {
  const { uploadId, fileIds } = await addReceived(2);
  await fixture
    .db('uploads')
    .where({ id: uploadId })
    .update({ clinicalHistory: 'Fell.', patientName: 'Test^Patient', patientId: null });
  const announcedMd5 = Buffer.alloc(16);
  // The note is written when everything has been compared.
  const write = vi.spyOn(fixture.storage, 'write').mockImplementation((options) => {
    const writer = FileStorage.prototype.write.call(fixture.storage, options);
    const sync = writer.sync.bind(writer);
    writer.sync = async () => {
      await fixture.db('uploadFiles').where({ id: fileIds[0] }).update({ announcedMd5 });
      return sync();
    };
    return writer;
  });
  await takeInUpload(deps(), uploadId);
  write.mockRestore();
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'processing', attempts: 1 });
  await takeInUpload(deps(), uploadId);
  expect((await listUploadFiles(fixture.db, uploadId))[0]?.problem?.code).toBe('TRANSFER_DAMAGED');
});

it('leaves nothing behind when the database goes away in the middle', async () => {
  const { uploadId } = await addReceived(3);
  const doomed = new DeliveryFixture(postgres.url, fixture.directory);
  const started = vi.spyOn(globalThis, 'setInterval');
  const ended = vi.spyOn(globalThis, 'clearInterval');
  const opener: FileOpener = {
    async open(id) {
      const file = await doomed.files.open(id);
      await doomed.close();
      return file;
    },
  };
  const files = { ...opener, locate: async () => opener };
  // An unhandled rejection would fail the run.
  await expect(takeInUpload({ ...deps(doomed), files }, uploadId)).rejects.toThrow();
  const renewals = started.mock.results.filter((_, call) => started.mock.calls[call]?.[1] === RENEW_MS);
  expect(renewals).toHaveLength(1);
  expect(ended).toHaveBeenCalledWith(renewals[0]?.value);
  started.mockRestore();
  ended.mockRestore();
});
