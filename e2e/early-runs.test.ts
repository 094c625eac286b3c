import { DEFAULT_TARGET } from '@relaypacs/core/config-targets.js';
import { claimNextStudy, countDeliveries, isMoreUrgentWaiting } from '@relaypacs/core/db/delivery-queue.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { markGoingOn, markWaitingForPacs } from '@relaypacs/core/db/pacs-circuits.js';
import { listUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { buildDicom, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { expect, it, vi } from 'vitest';
import { deliverStudy } from '../worker/src/delivery/deliver-study.js';
import { openDelivery } from '../worker/src/delivery/delivery-record.js';
import { examineArrived } from '../worker/src/intake/examine-arrived.js';
import { takeInUpload } from '../worker/src/intake/take-in-upload.js';
import { ClaimLost } from '../worker/src/row-claim.js';
import { expireUploads } from '../worker/src/upkeep/expire-uploads.js';
import { makeStudy } from './support/delivery-fixture.js';
import {
  addArriving,
  claimStudy,
  config,
  deps,
  fixture,
  markSent,
  moveFiles,
  setStatus,
  slice,
  studies,
  targets,
  theStudy,
} from './support/early-fixture.js';

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000);
const secondsUntil = (date: Date | null) => ((date?.getTime() ?? 0) - Date.now()) / 1000;

it('does not let another upload bring another patient into a study that is begun early', async () => {
  const { objects, studyInstanceUid } = makeStudy(1, slice);
  const uploadId = await addArriving(objects);
  await examineArrived(deps(), uploadId);
  await markSent((await theStudy(uploadId)).id);
  const bytes = buildDicom({ ...slice, studyInstanceUid, patientName: 'Roe^Mary', patientId: '815' });
  const other = await addArriving([{ sopInstanceUid: newUid(), bytes }], {
    patientName: 'Roe, Mary',
    patientId: '815',
  });
  await examineArrived(deps(), other);
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
  await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), other);
  expect(await theStudy(other)).toMatchObject({ earlyDelivery: 'stopped' });
  await setStatus(other, 'received');
  await takeInUpload(deps(), other);
  expect((await listUploadFiles(fixture.db, other))[0]?.problem?.code).toBe('STUDY_OF_ANOTHER_PATIENT');
});

it('goes no further early where early delivery was switched off, and delivers the whole upload', async () => {
  const uploadId = await addArriving();
  await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
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

it('looks on where a study is taken back in the moment its turn comes', async () => {
  const [first, second] = [await addArriving(), await addArriving()];
  await examineArrived(deps(), first);
  await examineArrived(deps(), second);
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
  await examineArrived(deps(), uploadId);
  const claim = await claimStudy((await theStudy(uploadId)).id);
  await fixture.db('studies').where({ uploadId }).delete();
  await deliverStudy(fixture.deps({ url: 'http://127.0.0.1:9' }), claim);
  expect(claim.lost.aborted).toBe(true);
});

it('counts a delivery that is under way until it has ended, though all has arrived meanwhile', async () => {
  const uploadId = await addArriving();
  await examineArrived(deps(), uploadId);
  const claim = await claimStudy((await theStudy(uploadId)).id);
  await setStatus(uploadId, 'received');
  const count = async () => (await countDeliveries(fixture.db, 'stat')).get(DEFAULT_TARGET);
  expect(await count()).toEqual({ waiting: 0, running: 1 });
  await claim.release();
  expect(await count()).toBeUndefined();
});

it('says only of what is to go that it waits for the PACS', async () => {
  const uploadId = await addArriving();
  await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
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
    await examineArrived(deps(), uploadId);
  };
  const isDue = async () => {
    const claimed = await claimNextStudy(fixture.db, targets, newId(), 60, 'stat');
    await fixture.db('studies').update({ claimedBy: null });
    return claimed !== undefined;
  };
  const uploadId = await addArriving(objects);
  await examineArrived(deps(), uploadId);
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
