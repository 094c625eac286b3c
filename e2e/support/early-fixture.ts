/** STAT uploads that still arrive, and what is done with them early: for the tests of early delivery. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Config, loadConfig } from '@relaypacs/core/config.js';
import { DEFAULT_TARGET } from '@relaypacs/core/config-targets.js';
import type { UploadStatus } from '@relaypacs/core/contract/uploads.js';
import { listStudies, type StudyRow } from '@relaypacs/core/db/studies.js';
import { listUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { newUid } from '@relaypacs/core/dicom/testing/build.js';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../scripts/embedded-postgres.js';
import { migrate } from '../../scripts/migrate.js';
import { IsolatedTasks } from '../../worker/src/isolation/isolated-tasks.js';
import { RowClaim } from '../../worker/src/row-claim.js';
import { DeliveryFixture, makeStudy } from './delivery-fixture.js';

let directory: string;
let postgres: EmbeddedPostgres;
/** Open as long as the tests of a file run. */
export let fixture: DeliveryFixture;
const tasks = new IsolatedTasks();

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relaypacs-early-'));
  postgres = await startEmbeddedPostgres({ dataDir: path.join(directory, 'data') });
  await migrate(postgres.url);
  fixture = new DeliveryFixture(postgres.url, await mkdtemp(path.join(directory, 'storage-')));
});
beforeEach(async () => {
  await fixture.db('uploads').delete();
});
afterAll(async () => {
  await fixture?.close();
  await tasks.close();
  await postgres?.stop();
  await rm(directory, { recursive: true, force: true });
});

export const config = loadConfig({ DATABASE_URL: 'postgres://not-used/', DELIVERY_EAGER: 'stat' });

export function deps(more: Partial<Config> = {}) {
  const { db, transact, files, storage, logger } = fixture;
  const stopping = new AbortController().signal;
  return { db, transact, files, storage, logger, config: { ...config, ...more }, tasks, stopping };
}

export const slice = {
  patientName: 'Secret^Name',
  patientId: 'SECRET-ID',
  studyDate: '20260105',
  modality: 'CT',
};
export const targets = [{ key: DEFAULT_TARGET, concurrency: 8 }];

/** A STAT upload that still arrives, of which these objects are here. */
export async function addArriving(objects = makeStudy(2, slice).objects, more = {}): Promise<string> {
  const uids = { studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
  const { uploadId } = await fixture.addUpload({ ...uids, objects }, 'stat');
  await fixture.db('studies').where({ uploadId }).delete();
  await fixture
    .db('uploads')
    .where({ id: uploadId })
    .update({ status: 'uploading', fileCount: objects.length + 1, ...more });
  await fixture.db('uploadFiles').where({ uploadId }).update({ status: 'received', finishedAt: new Date() });
  return uploadId;
}

export const moveFiles = (from: string, to: string) =>
  fixture.db('uploadFiles').where({ uploadId: from }).update({ uploadId: to });
export const studies = (uploadId: string) => listStudies(fixture.db, [uploadId]);
export async function theStudy(uploadId: string): Promise<StudyRow> {
  const [study, ...others] = await studies(uploadId);
  if (!study || others.length > 0) throw new Error('There is not one study');
  return study;
}
export const setStatus = (id: string, status: UploadStatus) =>
  fixture.db('uploads').where({ id }).update({ status });
export const isSeen = async (uploadId: string) =>
  (await listUploadFiles(fixture.db, uploadId)).map(({ seenEarly }) => seenEarly);
export const markSent = (studyId: string) =>
  fixture.db('instances').where({ studyId }).update({ sends: 1, status: 'verified', storedAt: new Date() });

export async function claimStudy(id: string): Promise<RowClaim> {
  const claim = await RowClaim.take(fixture.db, fixture.transact, 'studies', id);
  if (!claim) throw new Error('The study is claimed');
  return claim;
}
