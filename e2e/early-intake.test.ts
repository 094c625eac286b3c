import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Config, loadConfig } from '@relaypacs/core/config.js';
import { DEFAULT_TARGET } from '@relaypacs/core/config-targets.js';
import type { UploadStatus } from '@relaypacs/core/contract/uploads.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { claimNextStudy, countDeliveries, isMoreUrgentWaiting } from '@relaypacs/core/db/delivery-queue.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { markGoingOn, markWaitingForPacs } from '@relaypacs/core/db/pacs-circuits.js';
import { listStudies, type StudyRow } from '@relaypacs/core/db/studies.js';
import { listUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { buildDicom, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../scripts/embedded-postgres.js';
import { migrate } from '../scripts/migrate.js';
import { cancelUpload } from '../server/src/uploads/cancel-upload.js';
import { correctUpload } from '../server/src/uploads/correct-upload.js';
import { resendStudies } from '../server/src/uploads/resend-studies.js';
import { retryUpload } from '../server/src/uploads/retry-upload.js';
import { deliverStudy } from '../worker/src/delivery/deliver-study.js';
import { openDelivery } from '../worker/src/delivery/delivery-record.js';
import { problemOfStudy } from '../worker/src/delivery/study-outcome.js';
import { takeInEarly } from '../worker/src/intake/early-intake.js';
import { takeInUpload } from '../worker/src/intake/take-in-upload.js';
import { IsolatedTasks } from '../worker/src/isolation/isolated-tasks.js';
import { ClaimLost, RowClaim } from '../worker/src/row-claim.js';
import { expireUploads } from '../worker/src/upkeep/expire-uploads.js';
import { sweepEarly } from '../worker/src/upkeep/sweep-early.js';
import { DeliveryFixture, makeStudy } from './support/delivery-fixture.js';

let directory: string;
let postgres: EmbeddedPostgres;
let fixture: DeliveryFixture;
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

const config = loadConfig({ DATABASE_URL: 'postgres://not-used/', DELIVERY_EAGER: 'stat' });

function deps(more: Partial<Config> = {}) {
  const { db, transact, files, storage, logger } = fixture;
  const stopping = new AbortController().signal;
  return { db, transact, files, storage, logger, config: { ...config, ...more }, tasks, stopping };
}

const slice = { patientName: 'Secret^Name', patientId: 'SECRET-ID', studyDate: '20260105', modality: 'CT' };
const targets = [{ key: DEFAULT_TARGET, concurrency: 8 }];

/** A STAT upload that still arrives, of which these objects are here. */
async function addArriving(objects = makeStudy(2, slice).objects, more = {}): Promise<string> {
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

const moveFiles = (from: string, to: string) =>
  fixture.db('uploadFiles').where({ uploadId: from }).update({ uploadId: to });
const studies = (uploadId: string) => listStudies(fixture.db, [uploadId]);
async function theStudy(uploadId: string): Promise<StudyRow> {
  const [study, ...others] = await studies(uploadId);
  if (!study || others.length > 0) throw new Error('There is not one study');
  return study;
}
const setStatus = (id: string, status: UploadStatus) =>
  fixture.db('uploads').where({ id }).update({ status });
const isSeen = async (uploadId: string) =>
  (await listUploadFiles(fixture.db, uploadId)).map(({ seenEarly }) => seenEarly);
const markSent = (studyId: string) =>
  fixture.db('instances').where({ studyId }).update({ sends: 1, status: 'verified', storedAt: new Date() });

async function claimStudy(id: string): Promise<RowClaim> {
  const claim = await RowClaim.take(fixture.db, fixture.transact, 'studies', id);
  if (!claim) throw new Error('The study is claimed');
  return claim;
}

it('hands on what has arrived, and the rest of it when that has', async () => {
  const { objects } = makeStudy(3, slice);
  const uploadId = await addArriving(objects);
  await fixture.db('uploadFiles').where({ uploadId, filename: '2.dcm' }).update({ status: 'uploading' });
  await takeInEarly(deps(), uploadId);
  const study = await theStudy(uploadId);
  expect(study).toMatchObject({
    earlyDelivery: 'going',
    status: 'pending',
    seriesCount: 1,
    modalities: ['CT'],
  });
  expect(await fixture.instances(study.id)).toHaveLength(2);
  await fixture.db('studies').where({ id: study.id }).update({ earlyDelivery: 'waiting' });
  await takeInEarly(deps(), uploadId);
  expect(await theStudy(uploadId)).toMatchObject({ earlyDelivery: 'waiting' });
  await fixture.db('uploadFiles').where({ uploadId, filename: '2.dcm' }).update({ status: 'received' });
  await takeInEarly(deps(), uploadId);
  expect(await theStudy(uploadId)).toMatchObject({ id: study.id, earlyDelivery: 'going' });
  expect(await fixture.instances(study.id)).toHaveLength(3);
});

it('hands on an image once, also where its file comes again', async () => {
  const { objects } = makeStudy(1, slice);
  const uploadId = await addArriving(objects);
  await takeInEarly(deps(), uploadId);
  await moveFiles(await addArriving(objects), uploadId);
  await takeInEarly(deps(), uploadId);
  expect(await isSeen(uploadId)).toEqual([true, true]);
  expect(await fixture.instances((await theStudy(uploadId)).id)).toHaveLength(1);
});

it('gives an early STAT study its turn before all that is less urgent, while its upload may still go on', async () => {
  await fixture.addUpload(makeStudy(1), 'routine');
  await fixture.addUpload(makeStudy(1), 'emergency');
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  const routine = { serviceLevel: 'routine', target: DEFAULT_TARGET } as const;
  const next = async () => {
    const claimed = await claimNextStudy(fixture.db, targets, newId(), 60, 'stat');
    await fixture.db('studies').update({ claimedBy: null });
    return claimed === id;
  };
  expect(await isMoreUrgentWaiting(fixture.db, targets, routine, 'stat')).toBe(true);
  expect((await countDeliveries(fixture.db, 'stat')).get(DEFAULT_TARGET)).toEqual({ waiting: 3, running: 0 });
  expect(await next()).toBe(true);
  for (const earlyDelivery of ['waiting', 'stopped']) {
    await fixture.db('studies').where({ id }).update({ earlyDelivery });
    expect(await next()).toBe(false);
  }
  await fixture.db('studies').where({ id }).update({ earlyDelivery: 'going' });
  for (const status of ['received', 'processing', 'cancelled', 'expired'] as const) {
    await setStatus(uploadId, status);
    expect(await next()).toBe(false);
    expect(await openDelivery(await claimStudy(id), 'stat')).toBeUndefined();
  }
  await setStatus(uploadId, 'uploading');
  await fixture
    .db('uploads')
    .where({ id: uploadId })
    .update({ expiresAt: new Date(0) });
  expect(await next()).toBe(false);
});

it('does nothing where nothing may go early', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps({ delivery: { eager: 'off' } }), uploadId);
  for (const status of ['received', 'processing', 'delivering'] as const) {
    await setStatus(uploadId, status);
    await takeInEarly(deps(), uploadId);
  }
  expect(await studies(uploadId)).toEqual([]);
  expect(await isSeen(uploadId)).toEqual([false, false]);
});

it('looks at a file once, and once more only where the storage was at fault', async () => {
  const uploadId = await addArriving();
  const [file] = await listUploadFiles(fixture.db, uploadId);
  const broken = {
    ...deps(),
    files: { ...fixture.files, open: () => Promise.reject(new Error('The disk is away')) },
  };
  await takeInEarly(broken, uploadId);
  expect(await isSeen(uploadId)).toEqual([false, false]);
  // A worker ended over it.
  await fixture.db('uploadFiles').where({ id: file?.id }).update({ seenEarly: true });
  await takeInEarly(deps(), uploadId);
  expect(await fixture.instances((await theStudy(uploadId)).id)).toHaveLength(1);
});

it('looks again for what a lost job was about, and for nothing else', async () => {
  const sweep = () => sweepEarly({ db: fixture.db, transact: fixture.transact, config });
  const uploadId = await addArriving();
  expect(await sweep()).toBe(0);
  await fixture
    .db('uploadFiles')
    .where({ uploadId })
    .update({ finishedAt: new Date(Date.now() - 60_000) });
  await fixture.takeJobs();
  expect(await sweep()).toBe(1);
  expect(await fixture.takeJobs()).toMatchObject([
    { queue: 'intake', jobId: `early-${uploadId}-2`, payload: { uploadId, early: true }, priority: 1 },
  ]);
  await fixture.db('uploads').where({ id: uploadId }).update({ onDoubt: 'ask' });
  expect(await sweep()).toBe(0);
  await fixture.db('uploads').where({ id: uploadId }).update({ onDoubt: null });
  await takeInEarly(deps(), uploadId);
  expect(await sweep()).toBe(0);
});

it('sends nothing of a study of which two patients arrive together, and tells nobody of it before its time', async () => {
  const { objects, studyInstanceUid } = makeStudy(1, slice);
  const bytes = buildDicom({ ...slice, studyInstanceUid, patientName: 'Roe^Mary', patientId: '815' });
  const uploadId = await addArriving([...objects, { sopInstanceUid: newUid(), bytes }]);
  await takeInEarly(deps(), uploadId);
  const study = await theStudy(uploadId);
  expect(study.earlyDelivery).toBe('stopped');
  expect(await fixture.instances(study.id)).toEqual([]);
  await setStatus(uploadId, 'received');
  await takeInUpload(deps(), uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({
    status: 'rejected',
    problem: { code: 'NO_USABLE_FILES' },
  });
  expect(await studies(uploadId)).toEqual([]);
});

it.each(['whole', 'to be repaired', 'of another day and nameless'])(
  'sends nothing of a study after an image of another patient that came alone and was %s',
  async (how) => {
    const { objects, studyInstanceUid } = makeStudy(2, slice);
    const other = {
      whole: buildDicom({ ...slice, studyInstanceUid, patientName: 'Roe^Mary', patientId: '815' }),
      'to be repaired': buildDicom({
        ...slice,
        studyInstanceUid,
        patientName: 'Secret^Name',
        patientId: 'SECRET-ID',
        patientBirthDate: '19700102',
        meta: { sopInstanceUid: '1.2.3' },
      }),
      'of another day and nameless': buildDicom({
        studyInstanceUid,
        studyDate: '20260106',
        patientBirthDate: '19700102',
        omit: [0x00100010, 0x00100020],
      }),
    }[how] as Uint8Array;
    const born = objects.map(({ sopInstanceUid }) => ({
      sopInstanceUid,
      bytes: buildDicom({ ...slice, studyInstanceUid, sopInstanceUid, patientBirthDate: '19800203' }),
    }));
    const uploadId = await addArriving([{ sopInstanceUid: newUid(), bytes: other }]);
    await takeInEarly(deps(), uploadId);
    await moveFiles(await addArriving(born), uploadId);
    await takeInEarly(deps(), uploadId);
    expect(await theStudy(uploadId)).toMatchObject({ earlyDelivery: 'stopped' });
    expect(await fixture.instances((await theStudy(uploadId)).id)).toEqual([]);
  },
);

it('goes on with a study of which the first image had to wait, and notes when it begins', async () => {
  const { objects, studyInstanceUid, seriesInstanceUid } = makeStudy(1, slice);
  const uids = { studyInstanceUid, seriesInstanceUid, sopInstanceUid: newUid() };
  const bytes = buildDicom({ ...slice, ...uids, meta: { sopInstanceUid: '1.2.3' } });
  const uploadId = await addArriving([{ sopInstanceUid: uids.sopInstanceUid, bytes }]);
  const isBegun = async () =>
    (await fixture.db('auditEvents').where({ objectId: uploadId, action: 'upload.early_delivery' })).length;
  await takeInEarly(deps(), uploadId);
  expect(await isBegun()).toBe(0);
  await moveFiles(await addArriving(objects), uploadId);
  await takeInEarly(deps(), uploadId);
  const { id, earlyDelivery } = await theStudy(uploadId);
  expect(earlyDelivery).toBe('going');
  expect(await fixture.instances(id)).toMatchObject([{ sopInstanceUid: objects[0]?.sopInstanceUid }]);
  expect(await isBegun()).toBe(1);
});

it('takes the study from whoever delivers it when another patient turns up', async () => {
  const { objects, studyInstanceUid } = makeStudy(1, slice);
  const uploadId = await addArriving(objects);
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  const record = await openDelivery(await claimStudy(id), 'stat');
  const bytes = buildDicom({ ...slice, studyInstanceUid, patientName: 'Roe^Mary', patientId: '815' });
  await moveFiles(await addArriving([{ sopInstanceUid: newUid(), bytes }]), uploadId);
  await takeInEarly(deps(), uploadId);
  await expect(record?.sending(record.instances)).rejects.toThrow(ClaimLost);
  expect(await theStudy(uploadId)).toMatchObject({ earlyDelivery: 'stopped', claimedBy: null });
  await record?.claim.stopRenewing();
});

it('lets an upload be cancelled as long as nothing has gone, even when it is about to', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const record = await openDelivery(await claimStudy((await theStudy(uploadId)).id), 'stat');
  expect(await cancelUpload(fixture.transact, config.pacs, uploadId, SYSTEM_ACTOR)).toBe(true);
  await expect(record?.sending(record.instances)).rejects.toThrow(ClaimLost);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'cancelled' });
  expect(await studies(uploadId)).toEqual([]);
  await record?.claim.stopRenewing();
});

it('ends an upload whose time is over when nothing of it is on its way any more', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  const claim = await claimStudy(id);
  await fixture
    .db('uploads')
    .where({ id: uploadId })
    .update({ expiresAt: new Date(0) });
  const expire = () => expireUploads({ ...deps(), config });
  expect(await expire()).toBe(0);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'uploading' });
  await claim.release();
  expect(await expire()).toBe(1);
  expect(await fixture.upload(uploadId)).toMatchObject({
    status: 'expired',
    problem: { code: 'UPLOAD_EXPIRED' },
  });
  expect(await studies(uploadId)).toEqual([]);
});

it('keeps what went, the PACS it went to, and nothing of a study of which nothing went', async () => {
  const [went, waits] = [makeStudy(1, slice), makeStudy(1, slice)];
  const uploadId = await addArriving([...went.objects, ...waits.objects]);
  await takeInEarly(deps(), uploadId);
  const [first, second] = await studies(uploadId);
  await markSent(first?.id ?? '');
  await setStatus(uploadId, 'received');
  const rules = [{ target: 'archive' }];
  await takeInUpload(deps({ pacs: { all: [], rules, choices: [] } }), uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'delivering', problem: null });
  const after = await studies(uploadId);
  expect(
    after.map(({ id, target, status, earlyDelivery }) => ({
      id: id === first?.id,
      target,
      status,
      earlyDelivery,
    })),
  ).toEqual([
    { id: true, target: DEFAULT_TARGET, status: 'pending', earlyDelivery: null },
    { id: false, target: 'archive', status: 'pending', earlyDelivery: null },
  ]);
  expect(after[1]?.id).not.toBe(second?.id);
  expect((await fixture.instances(first?.id ?? '')).map(({ status }) => status)).toEqual(['verified']);
});

it('takes that of two images under one identifier which went already', async () => {
  const { objects, studyInstanceUid, seriesInstanceUid } = makeStudy(1, slice);
  const sopInstanceUid = objects[0]?.sopInstanceUid ?? '';
  const twin = buildDicom({
    ...slice,
    studyInstanceUid,
    seriesInstanceUid,
    sopInstanceUid,
    instanceNumber: 99,
  });
  const uploadId = await addArriving([{ sopInstanceUid, bytes: twin }]);
  await fixture.db('uploadFiles').where({ uploadId }).update({ status: 'uploading' });
  await moveFiles(await addArriving(objects), uploadId);
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  await markSent(id);
  await fixture.db('uploadFiles').where({ uploadId }).update({ status: 'received' });
  await setStatus(uploadId, 'received');
  await takeInUpload(deps(), uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'delivering', problem: null });
  expect((await listUploadFiles(fixture.db, uploadId)).map(({ problem }) => problem?.code)).toEqual([
    'CONFLICTING_COPY',
    undefined,
  ]);
  expect((await fixture.instances(id)).map(({ status }) => status)).toEqual(['verified']);
});

it('says how much went, and may have gone, when the files cannot be read any more', async () => {
  const uploadId = await addArriving(makeStudy(9, slice).objects);
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  await markSent(id);
  const [refused, tooLarge, broke, ignored, conflict, ...others] = await fixture.instances(id);
  const setFailed = (instanceId: string | undefined, code: string) =>
    fixture
      .db('instances')
      .where({ id: instanceId })
      .update({ status: 'failed', storedAt: null, problem: { code, title: '', detail: '' } });
  await setFailed(refused?.id, 'PACS_REFUSED');
  await setFailed(tooLarge?.id, 'PACS_TOO_LARGE');
  await setFailed(broke?.id, 'PACS_BREAKS_DOWN');
  await setFailed(ignored?.id, 'PACS_IGNORED');
  await setFailed(conflict?.id, 'CONFLICT');
  // Refused in the end; an earlier request had no answer.
  await fixture.db('instances').where({ id: tooLarge?.id }).update({ sends: 2 });
  const neverSent = { status: 'pending', sends: 0, storedAt: null };
  await fixture
    .db('instances')
    .whereIn(
      'id',
      others.slice(2).map((each) => each.id),
    )
    .update(neverSent);
  await fixture.db('uploads').where({ id: uploadId }).update({ status: 'received', attempts: 20 });
  await takeInUpload(deps(), uploadId);
  const { status, problem } = await fixture.upload(uploadId);
  expect({ status, code: problem?.code }).toEqual({ status: 'failed', code: 'INTAKE_FAILED' });
  expect(problem?.detail).toMatch(
    /2 images are in default already, and 4 more may be; the others were not sent\.$/,
  );
});

it('never makes a success of what should not have gone, however often the rest is tried', async () => {
  const uploadId = await addArriving(makeStudy(3, slice).objects);
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  await markSent(id);
  await fixture.db('studies').where({ id }).update({ status: 'delivering', attempts: 1 });
  const [damaged, refused] = await fixture.instances(id);
  await fixture
    .db('uploadFiles')
    .where({ id: damaged?.uploadFileId })
    .update({ announcedSha256: Buffer.alloc(32) });
  const problem = { code: 'PACS_REFUSED', title: 'x', detail: 'Refused.' };
  await fixture
    .db('instances')
    .where({ id: refused?.id })
    .update({ status: 'failed', storedAt: null, problem });
  await setStatus(uploadId, 'received');
  await takeInUpload(deps(), uploadId);
  const codes = async () => (await fixture.instances(id)).map((each) => [each.status, each.problem?.code]);
  const record = await openDelivery(await claimStudy(id), 'stat');
  // Nobody has asked for it to be tried again.
  const fault = ['failed', 'FAULT_AFTER_EARLY_DELIVERY'];
  expect(await codes()).toEqual([fault, ['failed', 'PACS_REFUSED'], ['verified', undefined]]);
  const unsettled = (await fixture.instances(id)).filter(({ status }) => status !== 'verified');
  expect(
    problemOfStudy(await fixture.upload(uploadId), await theStudy(uploadId), unsettled, 3),
  ).toMatchObject({
    code: 'FAULT_AFTER_EARLY_DELIVERY',
    remedy: 'retry',
    detail: expect.stringMatching(
      /^1 image is in default already.* Refused\. Not delivered: series 1 image 2\./s,
    ),
  });
  await record?.claim.release();
  await fixture
    .db('studies')
    .where({ id })
    .update({ status: 'failed', problem: { code: fault[1], title: '', detail: '' } });
  await setStatus(uploadId, 'failed');
  const archive = { ...fixture.deps({}).config.pacs.all[0]!, key: 'archive' };
  const elsewhere = { target: 'archive' };
  await expect(
    resendStudies(fixture.transact, { all: [archive] }, uploadId, elsewhere, SYSTEM_ACTOR),
  ).rejects.toThrow(/in default that should not be, so it goes nowhere else/);
  const right = { patientName: 'Roe, Mary' };
  await expect(
    correctUpload(fixture.transact, Buffer.alloc(32), uploadId, right, SYSTEM_ACTOR),
  ).rejects.toThrow(/only the people there can put that right/);
  expect(await retryUpload(fixture.transact, uploadId, SYSTEM_ACTOR)).toMatchObject({
    status: 'delivering',
    problem: { code: fault[1] },
  });
  await (await openDelivery(await claimStudy(id), 'stat'))?.claim.release();
  expect(await codes()).toEqual([fault, ['pending', undefined], ['verified', undefined]]);
});

it('does not let another upload bring another patient into a study that is begun early', async () => {
  const { objects, studyInstanceUid } = makeStudy(1, slice);
  const uploadId = await addArriving(objects);
  await takeInEarly(deps(), uploadId);
  await markSent((await theStudy(uploadId)).id);
  const bytes = buildDicom({ ...slice, studyInstanceUid, patientName: 'Roe^Mary', patientId: '815' });
  const other = await addArriving([{ sopInstanceUid: newUid(), bytes }], {
    patientName: 'Roe, Mary',
    patientId: '815',
  });
  await takeInEarly(deps(), other);
  expect(await theStudy(other)).toMatchObject({ earlyDelivery: 'stopped' });
  await setStatus(other, 'received');
  await takeInUpload(deps(), other);
  expect((await listUploadFiles(fixture.db, other))[0]?.problem?.code).toBe('STUDY_OF_ANOTHER_PATIENT');
});

it.each([
  ['pending', 'verified'],
  ['delivering', 'stored'],
  ['failed', 'warning'],
])('nor into one that is %s and %s in part, its upload having been checked', async (status, instance) => {
  const { objects, studyInstanceUid } = makeStudy(2, slice);
  const uploadId = await addArriving(objects);
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  await markSent(id);
  const [first] = await fixture.instances(id);
  await fixture.db('instances').where({ id: first?.id }).update({ status: instance });
  await fixture.db('instances').whereNot({ id: first?.id }).update({ status: 'failed', storedAt: null });
  await setStatus(uploadId, 'received');
  await takeInUpload(deps(), uploadId);
  await fixture.db('studies').where({ id }).update({ status });
  const bytes = buildDicom({ ...slice, studyInstanceUid, patientName: 'Roe^Mary', patientId: '815' });
  const mary = { patientName: 'Roe, Mary', patientId: '815' };
  const other = await addArriving([{ sopInstanceUid: newUid(), bytes }], mary);
  await takeInEarly(deps(), other);
  expect(await theStudy(other)).toMatchObject({ earlyDelivery: 'stopped' });
  await setStatus(other, 'received');
  await takeInUpload(deps(), other);
  expect((await listUploadFiles(fixture.db, other))[0]?.problem?.code).toBe('STUDY_OF_ANOTHER_PATIENT');
});

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000);
const secondsUntil = (date: Date | null) => ((date?.getTime() ?? 0) - Date.now()) / 1000;

it('keeps a wait of the PACS when all has arrived', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  const [first] = await fixture.instances(id);
  await fixture.db('instances').where({ id: first?.id }).update({ sends: 1 });
  await fixture
    .db('studies')
    .where({ id })
    .update({ nextAttemptAt: inSeconds(30) });
  await setStatus(uploadId, 'received');
  await takeInUpload(deps(), uploadId);
  expect(secondsUntil((await theStudy(uploadId)).nextAttemptAt)).toBeGreaterThan(20);
  expect(await claimNextStudy(fixture.db, targets, newId(), 60, 'stat')).toBeUndefined();
});

it('waits for what may still arrive when what is under way turns out to be wrong in part', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  const record = await openDelivery(await claimStudy(id), 'stat');
  await markSent(id);
  const [wrong] = await fixture.instances(id);
  const announced = { announcedSha256: Buffer.alloc(32) };
  await fixture.db('uploadFiles').where({ id: wrong?.uploadFileId }).update(announced);
  await setStatus(uploadId, 'received');
  await takeInUpload(deps(), uploadId);
  await expect(record?.sending(record.instances)).rejects.toThrow(ClaimLost);
  await record?.claim.stopRenewing();
  const { nextAttemptAt, claimedBy } = await theStudy(uploadId);
  expect({ claimedBy, waits: secondsUntil(nextAttemptAt) > 8 }).toEqual({ claimedBy: null, waits: true });
});

it('waits for what may still arrive when it takes a study from whoever delivers it', async () => {
  const { objects, studyInstanceUid } = makeStudy(1, slice);
  const bytes = buildDicom({ ...slice, studyInstanceUid, patientName: 'Roe^Mary', patientId: '815' });
  const stopWith = async (wait: Date | null, isHeld: boolean) => {
    const uploadId = await addArriving(objects);
    await takeInEarly(deps(), uploadId);
    const { id } = await theStudy(uploadId);
    const claim = isHeld ? await claimStudy(id) : undefined;
    await fixture.db('studies').where({ id }).update({ nextAttemptAt: wait });
    await moveFiles(await addArriving([{ sopInstanceUid: newUid(), bytes }]), uploadId);
    await takeInEarly(deps(), uploadId);
    await claim?.stopRenewing();
    return theStudy(uploadId);
  };
  const stopped = await stopWith(null, true);
  expect(stopped).toMatchObject({ earlyDelivery: 'stopped', claimedBy: null });
  expect(secondsUntil(stopped.nextAttemptAt)).toBeGreaterThan(8);
  expect(secondsUntil((await stopWith(inSeconds(30), true)).nextAttemptAt)).toBeGreaterThan(20);
  expect((await stopWith(null, false)).nextAttemptAt).toBeNull();
});

it('keeps as delivered what went and was right, though its file is lost here since', async () => {
  const uploadId = await addArriving(makeStudy(3, slice).objects);
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  await markSent(id);
  const [lost] = await fixture.instances(id);
  await fixture.db('fileSegments').where({ fileId: lost?.uploadFileId }).delete();
  await setStatus(uploadId, 'received');
  await takeInUpload(deps(), uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'delivering', problem: null });
  expect((await fixture.instances(id)).map(({ status }) => status)).toEqual(Array(3).fill('verified'));
  const file = (await listUploadFiles(fixture.db, uploadId)).find((each) => each.id === lost?.uploadFileId);
  expect(file?.problem).toMatchObject({
    code: 'STORED_BYTES_DAMAGED',
    detail: expect.stringMatching(/had gone to the PACS before/),
  });
});

it('keeps as delivered a study of which all files are lost since, beside another', async () => {
  const [gone, other] = [makeStudy(1, slice), makeStudy(1, slice)];
  const uploadId = await addArriving([...gone.objects, ...other.objects]);
  await takeInEarly(deps(), uploadId);
  for (const { id } of await studies(uploadId)) await markSent(id);
  const study = (await studies(uploadId)).find((each) => each.studyInstanceUid === gone.studyInstanceUid);
  const [lost] = await fixture.instances(study?.id ?? '');
  await fixture.db('fileSegments').where({ fileId: lost?.uploadFileId }).delete();
  await setStatus(uploadId, 'received');
  await takeInUpload(deps(), uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'delivering', problem: null });
  expect(await fixture.study(study?.id ?? '')).toMatchObject({
    status: 'pending',
    earlyDelivery: null,
    patientName: study?.patientName,
  });
});

it('calls it a fault where the lost one named another patient than what is left', async () => {
  const { objects, studyInstanceUid } = makeStudy(1, slice);
  const uploadId = await addArriving(objects);
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  await markSent(id);
  const [lost] = await fixture.instances(id);
  const bytes = buildDicom({ ...slice, studyInstanceUid, patientName: 'Roe^Mary', patientId: '815' });
  await moveFiles(await addArriving([{ sopInstanceUid: newUid(), bytes }]), uploadId);
  await fixture.db('fileSegments').where({ fileId: lost?.uploadFileId }).delete();
  await setStatus(uploadId, 'received');
  await takeInUpload(deps(), uploadId);
  const instances = await fixture.instances(id);
  expect(instances.find((each) => each.id === lost?.id)).toMatchObject({
    status: 'failed',
    problem: { code: 'FAULT_AFTER_EARLY_DELIVERY' },
  });
});

it('keeps as it was sent what the PACS has without the Patient ID that is added to the others', async () => {
  const { objects, studyInstanceUid, seriesInstanceUid } = makeStudy(3, slice);
  const nameless = objects.map(({ sopInstanceUid }, index) => {
    const uids = { studyInstanceUid, seriesInstanceUid, sopInstanceUid };
    const bytes = buildDicom({ ...slice, ...uids, instanceNumber: index + 1, omit: [0x00100020] });
    return { sopInstanceUid, bytes };
  });
  const uploadId = await addArriving(nameless);
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  await markSent(id);
  const [, stored, refused] = await fixture.instances(id);
  await fixture.db('instances').where({ id: stored?.id }).update({ status: 'stored' });
  await fixture
    .db('instances')
    .where({ id: refused?.id })
    .update({
      status: 'failed',
      storedAt: null,
      problem: { code: 'PACS_PATIENT_ID_MISSING', title: '', detail: '' },
    });
  await fixture.db('uploads').where({ id: uploadId }).update({ status: 'received', addsPatientId: true });
  await takeInUpload(deps(), uploadId);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'delivering', problem: null });
  const after = await fixture.instances(id);
  expect(after.map(({ status, pieces }) => [status, pieces !== null])).toEqual([
    ['verified', false],
    ['stored', false],
    ['pending', true],
  ]);
});

it('goes no further early where early delivery was switched off, and delivers the whole upload', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  const routine = { serviceLevel: 'routine', target: DEFAULT_TARGET } as const;
  expect(await claimNextStudy(fixture.db, targets, newId(), 60, 'off')).toBeUndefined();
  expect(await isMoreUrgentWaiting(fixture.db, targets, routine, 'off')).toBe(false);
  expect(await countDeliveries(fixture.db, 'off')).toEqual(new Map());
  expect(await openDelivery(await claimStudy(id), 'off')).toBeUndefined();
  await markSent(id);
  await setStatus(uploadId, 'received');
  await takeInUpload(deps({ delivery: { eager: 'off' } }), uploadId);
  const claimed = await claimNextStudy(fixture.db, targets, newId(), 60, 'off');
  expect(claimed).toBe(id);
});

it('asks by the clock of the database whether something is on its way when the time of an upload is over', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const claim = await claimStudy((await theStudy(uploadId)).id);
  await fixture
    .db('uploads')
    .where({ id: uploadId })
    .update({ expiresAt: new Date(0) });
  vi.useFakeTimers({ toFake: ['Date'], now: inSeconds(600) });
  try {
    expect(await expireUploads({ ...deps(), config })).toBe(0);
  } finally {
    vi.useRealTimers();
  }
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'uploading' });
  await claim.release();
});

it('leaves nothing to a worker that was away too long when the time of the upload was over', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  const record = await openDelivery(await claimStudy(id), 'stat');
  await markSent(id);
  await fixture
    .db('studies')
    .where({ id })
    .update({ claimExpiresAt: new Date(0) });
  await fixture
    .db('uploads')
    .where({ id: uploadId })
    .update({ expiresAt: new Date(0) });
  expect(await expireUploads({ ...deps(), config })).toBe(1);
  await expect(record?.settle()).rejects.toThrow(ClaimLost);
  const ended = { status: 'failed', earlyDelivery: 'stopped', claimedBy: null, claimExpiresAt: null };
  expect(await theStudy(uploadId)).toMatchObject(ended);
});

it('lets nothing more go when the files cannot be read, and tries again what was refused on Retry', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  const record = await openDelivery(await claimStudy(id), 'stat');
  await markSent(id);
  const [refused] = await fixture.instances(id);
  const problem = { code: 'PACS_REFUSED', title: '', detail: '' };
  await fixture
    .db('instances')
    .where({ id: refused?.id })
    .update({ status: 'failed', storedAt: null, problem });
  await fixture.db('uploads').where({ id: uploadId }).update({ status: 'received', attempts: 20 });
  await takeInUpload(deps(), uploadId);
  await expect(record?.sending(record.instances)).rejects.toThrow(ClaimLost);
  expect(await theStudy(uploadId)).toMatchObject({ earlyDelivery: 'stopped', claimedBy: null });
  expect(await retryUpload(fixture.transact, uploadId, SYSTEM_ACTOR)).toMatchObject({ status: 'processing' });
  await takeInUpload(deps(), uploadId);
  await record?.claim.stopRenewing();
  const again = await openDelivery(await claimStudy(id), 'stat');
  expect(again?.instances.map(({ status }) => status)).toEqual(['pending', 'verified']);
  await again?.claim.release();
});

it('looks on where a study is taken back in the moment its turn comes', async () => {
  const [first, second] = [await addArriving(), await addArriving()];
  await takeInEarly(deps(), first);
  await takeInEarly(deps(), second);
  const cancelling = await fixture.db.transaction();
  await cancelling('studies').where({ uploadId: first }).delete();
  const turn = claimNextStudy(fixture.db, targets, newId(), 60, 'stat');
  await blocked();
  await cancelling.commit();
  expect(await turn).toBe((await theStudy(second)).id);
});

/** Waits until a statement waits for a row. */
async function blocked(): Promise<void> {
  const waiting = () =>
    fixture.db('pg_stat_activity').where({ waitEventType: 'Lock', waitEvent: 'transactionid' });
  await expect.poll(async () => (await waiting()).length).toBeGreaterThan(0);
}

it('calls it no error when a study is gone before its delivery has begun', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const claim = await claimStudy((await theStudy(uploadId)).id);
  await fixture.db('studies').where({ uploadId }).delete();
  await deliverStudy(fixture.deps({ url: 'http://127.0.0.1:9' }), claim);
  expect(claim.lost.aborted).toBe(true);
});

it('counts a delivery that is under way until it has ended, though all has arrived meanwhile', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const claim = await claimStudy((await theStudy(uploadId)).id);
  await setStatus(uploadId, 'received');
  const count = async () => (await countDeliveries(fixture.db, 'stat')).get(DEFAULT_TARGET);
  expect(await count()).toEqual({ waiting: 0, running: 1 });
  await claim.release();
  expect(await count()).toBeUndefined();
});

it('says only of what is to go that it waits for the PACS', async () => {
  const uploadId = await addArriving();
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  const mark = () => fixture.transact((unit) => markWaitingForPacs(unit, { target: DEFAULT_TARGET }, null));
  for (const earlyDelivery of ['waiting', 'stopped']) {
    await fixture.db('studies').where({ id }).update({ earlyDelivery });
    await mark();
    expect((await theStudy(uploadId)).waitingFor).toBeNull();
  }
  await fixture.db('studies').where({ id }).update({ earlyDelivery: 'going' });
  await mark();
  expect((await theStudy(uploadId)).waitingFor).toBe('pacs');
});

it.each(['waiting', 'going on'])('says that studies are %s without a deadlock', async (what) => {
  const uploadId = await addArriving([...makeStudy(1, slice).objects, ...makeStudy(1, slice).objects]);
  await takeInEarly(deps(), uploadId);
  if (what === 'going on') await fixture.db('studies').update({ waitingFor: 'pacs' });
  const [first, second] = await studies(uploadId);
  // Scans of the table and of the index find the one with the greater id first.
  const setDue = (id: string | undefined, seconds: number) =>
    fixture
      .db('studies')
      .where({ id })
      .update({ nextAttemptAt: inSeconds(seconds) });
  await setDue(second?.id, -7200);
  await expect
    .poll(async () => {
      await setDue(first?.id, -3600);
      return (await fixture.db('studies').orderByRaw('ctid').pluck('id')).at(-1);
    })
    .toBe(first?.id);
  const other = await fixture.db.transaction();
  const hold = (id: string | undefined) => other('studies').where({ id }).forUpdate().select('id');
  await hold(first?.id);
  const marking = fixture.transact((unit) =>
    what === 'waiting'
      ? markWaitingForPacs(unit, { target: DEFAULT_TARGET }, null)
      : markGoingOn(unit, DEFAULT_TARGET),
  );
  await blocked();
  const outcomes = await Promise.allSettled([hold(second?.id).then(() => other.commit()), marking]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
});

it('goes on after a run only with what was added meanwhile; what is left undecided fails', async () => {
  const ordinary = await fixture.addUpload(makeStudy(1), 'routine');
  const record = await openDelivery(await claimStudy(ordinary.studyId), 'stat');
  const [known] = await fixture.instances(ordinary.studyId);
  await fixture.db('instances').insert({ ...known, id: newId(), sopInstanceUid: newUid() });
  expect(await record?.settle()).toBe('goes_on');
  const next = await openDelivery(await claimStudy(ordinary.studyId), 'stat');
  expect(await next?.settle()).toBe('failed');
  expect(await fixture.upload(ordinary.uploadId)).toMatchObject({ status: 'failed' });
});

it('takes up again after a while what has few new images, and at once what has many or is complete', async () => {
  const { objects, studyInstanceUid, seriesInstanceUid } = makeStudy(1, slice);
  const more = async (count: number) => {
    const made = Array.from({ length: count }, () => {
      const uids = { studyInstanceUid, seriesInstanceUid, sopInstanceUid: newUid() };
      return { sopInstanceUid: uids.sopInstanceUid, bytes: buildDicom({ ...slice, ...uids }) };
    });
    await moveFiles(await addArriving(made), uploadId);
    await takeInEarly(deps(), uploadId);
  };
  const isDue = async () => {
    const claimed = await claimNextStudy(fixture.db, targets, newId(), 60, 'stat');
    await fixture.db('studies').update({ claimedBy: null });
    return claimed !== undefined;
  };
  const uploadId = await addArriving(objects);
  await takeInEarly(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  expect(await isDue()).toBe(true);
  const record = await openDelivery(await claimStudy(id), 'stat');
  await markSent(id);
  expect(await record?.settle()).toBe('sent_early');
  await more(1);
  expect(await isDue()).toBe(false);
  expect(secondsUntil((await theStudy(uploadId)).earlyDueAt)).toBeGreaterThan(1);
  await fixture
    .db('studies')
    .where({ id })
    .update({ earlyDueAt: inSeconds(-1) });
  expect(await isDue()).toBe(true);
  await fixture
    .db('studies')
    .where({ id })
    .update({ earlyDueAt: inSeconds(60) });
  await more(18);
  expect(await isDue()).toBe(false);
  await more(1);
  expect(await isDue()).toBe(true);
  await fixture
    .db('studies')
    .where({ id })
    .update({ earlyDueAt: inSeconds(60) });
  await setStatus(uploadId, 'received');
  await takeInUpload(deps(), uploadId);
  expect(await isDue()).toBe(true);
});

it('asks the sender, where a doubt is to be asked about by now, unless something went already', async () => {
  const hold = { intake: { ...config.intake, mismatch: 'hold' as const } };
  const outcome = async (isSent: boolean) => {
    const uploadId = await addArriving(makeStudy(1, slice).objects);
    await takeInEarly(deps(), uploadId);
    if (isSent) await markSent((await theStudy(uploadId)).id);
    const doubtful = { status: 'received', studyDate: '2026-01-06' };
    await fixture.db('uploads').where({ id: uploadId }).update(doubtful);
    await takeInUpload(deps(hold), uploadId);
    const { status, waitingFor } = await fixture.upload(uploadId);
    return { status, waitingFor };
  };
  expect(await outcome(false)).toEqual({ status: 'processing', waitingFor: 'sender' });
  expect(await outcome(true)).toEqual({ status: 'delivering', waitingFor: null });
});
