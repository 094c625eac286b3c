import { watch } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { buildZip, type ZipFile } from '@relaypacs/core/archive/testing/build-zip.js';
import { loadConfig } from '@relaypacs/core/config.js';
import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import { openPlatform, type Platform } from '@relaypacs/core/platform.js';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { expireUploads } from '../worker/src/upkeep/expire-uploads.js';
import { removeBytes } from '../worker/src/upkeep/remove-bytes.js';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { RecordingProxy } from './support/recording-proxy.js';
import { type Stack, startStack } from './support/stack.js';
import { type MadeStudy, makeStudy } from './support/studies.js';

let orthanc: Orthanc;
let proxy: RecordingProxy;
let stack: Stack;
let platform: Platform;
let jane: ApiClient;

beforeAll(async () => {
  orthanc = await startOrthanc();
  proxy = await RecordingProxy.start(orthanc.url);
  stack = await startStack({ env: pacsVariables({ ...orthanc, url: proxy.url }) });
  jane = await ApiClient.signUp(stack.baseUrl);
  const config = loadConfig({ DATABASE_URL: stack.databaseUrl, DATA_DIR: stack.dataDir });
  platform = await openPlatform(config, createLogger('test', 'error'));
});
afterAll(async () => {
  await platform?.close();
  await stack?.stop();
  await proxy?.close();
  await orthanc?.dispose();
});
beforeEach(() => {
  proxy.stows.length = 0;
  proxy.onStowBytes = () => {};
});

const settled = (id: string) =>
  jane.waitFor(id, ({ status }) => ['delivered', 'rejected', 'failed'].includes(status), 60_000);
const waitsForSender = (id: string) => jane.waitFor(id, ({ waitingFor }) => waitingFor === 'sender');
const codes = (warnings: ReadonlyArray<{ code: string }>) => warnings.map(({ code }) => code).sort();
const uploadRow = (id: string) => platform.db<UploadRow>('uploads').where({ id }).first();
const deflated = ({ files }: MadeStudy): ZipFile[] =>
  files.map((content, i) => ({ path: `DISC/IM${i}`, content, deflate: true }));

/** The state the database is in some seconds later: whoever held the row is not heard of any more. */
async function letClaimsRunOut(): Promise<void> {
  const longAgo = new Date(Date.now() - 60_000);
  for (const table of ['uploads', 'studies']) {
    await platform
      .db(table)
      .whereNotNull('claimedBy')
      .update({ claimExpiresAt: longAgo, updatedAt: longAgo });
  }
}

/** Keeps everybody else from a table, so that the intake stops where it needs that. */
async function hold(table: string): Promise<{ isWaitedFor(): Promise<boolean>; release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: stack.databaseUrl });
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  let ended: Promise<void> | undefined;
  const release = () => {
    ended ??= client.end();
    return ended;
  };
  onTestFinished(release);
  return {
    async isWaitedFor() {
      const { rows } = await client.query(
        'SELECT 1 FROM pg_locks WHERE relation = $1::regclass AND NOT granted',
        [table],
      );
      return rows.length > 0;
    },
    release,
  };
}

async function expectArrivedOnce(upload: UploadDetail, study: MadeStudy): Promise<void> {
  const total = study.files.length;
  expect(upload).toMatchObject({ status: 'delivered', instances: { total, verified: total, failed: 0 } });
  expect(upload.studies).toHaveLength(1);
  expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  expect(proxy.sent()).toEqual(new Map([...study.digests.keys()].map((uid) => [uid, 1])));
}

describe('kill -9 of the worker', () => {
  it('while it opens an archive, and once more when it has read all of it, loses and doubles nothing', async () => {
    const study = makeStudy(300, { rows: 128, columns: 128 });
    const archive = buildZip(deflated(study));
    const held = await hold('instances');
    const id = await jane.send([archive], { clinicalHistory: 'Fell from a ladder.' });
    const isBegun = async () => (await uploadRow(id))?.status === 'processing';
    await expect.poll(isBegun, { timeout: 20_000, interval: 5 }).toBe(true);
    await stack.worker.kill();
    await letClaimsRunOut();
    await stack.worker.start();
    await expect.poll(() => held.isWaitedFor(), { timeout: 30_000, interval: 20 }).toBe(true);
    expect(await uploadRow(id)).toMatchObject({ status: 'processing', attempts: 2 });
    await stack.worker.kill();
    await held.release();
    await letClaimsRunOut();
    expect(await platform.db('studies').where({ uploadId: id })).toEqual([]);
    await stack.worker.start();
    const upload = await settled(id);
    expect(upload.files[0]?.contents).toMatchObject({ accepted: 300, rejected: 0, ignored: 0 });
    expect(upload).toMatchObject({ instances: { total: 302, verified: 302 } });
    const digests = await orthancDigests(orthanc, study.studyInstanceUid);
    const images = [...digests].filter(([uid]) => study.digests.has(uid));
    expect(new Map(images)).toEqual(study.digests);
    expect(digests.size).toBe(302);
    expect([...proxy.sent().values()]).toEqual(Array.from({ length: 302 }, () => 1));
  });

  it('while it delivers from an archive packed twice loses and doubles nothing', async () => {
    const study = makeStudy(100, { rows: 128, columns: 128 });
    const inner = buildZip(deflated(study));
    const archive = buildZip([{ path: 'study.zip', content: inner, deflate: true }]);
    let go = () => {};
    const going = new Promise<void>((resolve) => {
      go = resolve;
    });
    const stalled = new Promise<void>((resolve) => {
      proxy.onStowBytes = (bytes, nth) => {
        if (nth < 3 || bytes < 100_000) return;
        resolve();
        return going;
      };
    });
    const id = await jane.send([archive]);
    await stalled;
    const { instances } = await jane.upload(id);
    expect(instances).toMatchObject({ total: 100 });
    expect(instances.stored).toBeGreaterThan(0);
    expect(instances.stored).toBeLessThan(100);
    await stack.worker.kill();
    go();
    proxy.onStowBytes = () => {};
    await letClaimsRunOut();
    await stack.worker.start();
    await expectArrivedOnce(await settled(id), study);
  });
});

describe('an upload that is taken back while it is being checked', () => {
  it('leaves nothing in the storage, neither what was sent nor what was made of it', async () => {
    const folder = path.join(stack.dataDir, 'storage');
    const before = await readdir(folder);
    const study = makeStudy(2);
    const held = await hold('instances');
    const id = await jane.send(study.files, { clinicalHistory: 'Fell from a ladder.' });
    await expect.poll(() => held.isWaitedFor(), { timeout: 20_000, interval: 20 }).toBe(true);
    const received = new Set(await readdir(folder));
    const written = new Set<string>();
    const watcher = watch(folder, (_event, name) => {
      if (name !== null && !received.has(name)) written.add(name);
    });
    expect((await jane.request('DELETE', `/api/v1/uploads/${id}`)).status).toBe(204);
    await held.release();
    await expect.poll(async () => (await uploadRow(id))?.claimedBy, { timeout: 20_000 }).toBeNull();
    watcher.close();
    // The note as a document and as text was written after all, and is gone again.
    expect(written.size).toBe(2);
    const left = async () => (await readdir(folder)).filter((name) => !before.includes(name));
    await expect.poll(async () => (await left()).filter((name) => written.has(name))).toEqual([]);
    expect(await platform.db('uploadFiles').where({ uploadId: id, isDerived: true })).toEqual([]);
    expect(await removeBytes(platform, 0)).toBe(1);
    expect(await left()).toEqual([]);
    expect(await jane.upload(id)).toMatchObject({ status: 'cancelled', studies: [] });
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(new Map());
  });
});

/** Agrees with the headers of a made slice, so that only what is missing is in doubt. */
const ASKED = { onDoubt: 'ask', studyDate: '2026-01-05' } as const;

describe('an upload that waited for its sender, was reopened, and then ran out of time', () => {
  /** Two slices of nine are missing, and the sender is about to add `fileCount` files. */
  async function reopened(fileCount: number) {
    const study = makeStudy(9);
    const missing = study.files.splice(3, 2);
    const id = await jane.send(study.files, ASKED);
    await waitsForSender(id);
    const more = { fileCount, totalBytes: fileCount * missing[0]!.length };
    const { body, status } = await jane.post(`/api/v1/uploads/${id}/reopen`, more);
    expect(status).toBe(200);
    return { id, study, missing, upload: { uploadToken: String(body.uploadToken) } };
  }

  async function runOutOfTime(id: string): Promise<void> {
    await platform
      .db('uploads')
      .where({ id })
      .update({ expiresAt: new Date(0) });
    // Or the worker does: it looks now and then.
    await expireUploads(platform);
  }

  it('is asked about again as it was, and can be sent', async () => {
    const { id, study, missing, upload } = await reopened(2);
    // Begun, and never finished.
    const half = await jane.createFile(upload, missing[0]!.subarray(0, 500), 'half', {
      'upload-length': String(missing[0]!.length),
    });
    expect(half.status).toBe(201);
    await runOutOfTime(id);
    const waiting = await waitsForSender(id);
    expect(waiting).toMatchObject({ status: 'processing', problem: null, filesReceived: 7 });
    expect(codes(waiting.studies[0]?.warnings ?? [])).toEqual(['INSTANCE_NUMBER_GAP']);
    expect(codes(waiting.warnings)).toEqual(['FEWER_FILES_THAN_ANNOUNCED']);
    expect((await jane.post(`/api/v1/uploads/${id}/confirm`)).status).toBe(202);
    expect(await settled(id)).toMatchObject({ status: 'delivered', instances: { total: 7, verified: 7 } });
    const arrived = await orthancDigests(orthanc, study.studyInstanceUid);
    expect(arrived.size).toBe(7);
    for (const [uid, digest] of arrived) expect(study.digests.get(uid)).toBe(digest);
  });

  it('goes on by itself when what had come by then leaves no doubt', async () => {
    const { id, study, missing, upload } = await reopened(3);
    for (const [i, file] of missing.entries()) {
      expect((await jane.createFile(upload, file, `more${i}`)).status).toBe(201);
    }
    expect(await jane.upload(id)).toMatchObject({ status: 'uploading', filesReceived: 9, fileCount: 10 });
    await runOutOfTime(id);
    const arrived = await settled(id);
    expect(arrived).toMatchObject({ status: 'delivered', instances: { total: 9, verified: 9 } });
    expect(codes(arrived.warnings)).toEqual(['FEWER_FILES_THAN_ANNOUNCED']);
    expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
  });
});
