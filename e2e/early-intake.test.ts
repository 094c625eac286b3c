import { DEFAULT_TARGET } from '@relaypacs/core/config-targets.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { claimNextStudy, countDeliveries, isMoreUrgentWaiting } from '@relaypacs/core/db/delivery-queue.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { listUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { buildDicom, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { expect, it } from 'vitest';
import { cancelUpload } from '../server/src/uploads/cancel-upload.js';
import { openDelivery } from '../worker/src/delivery/delivery-record.js';
import { examineArrived } from '../worker/src/intake/examine-arrived.js';
import { takeInUpload } from '../worker/src/intake/take-in-upload.js';
import { ClaimLost } from '../worker/src/row-claim.js';
import { expireUploads } from '../worker/src/upkeep/expire-uploads.js';
import { sweepArrived } from '../worker/src/upkeep/sweep-arrived.js';
import { makeStudy } from './support/delivery-fixture.js';
import {
  addArriving,
  claimStudy,
  config,
  deps,
  fixture,
  isSeen,
  moveFiles,
  setStatus,
  slice,
  studies,
  targets,
  theStudy,
} from './support/early-fixture.js';

it('hands on what has arrived, and the rest of it when that has', async () => {
  const { objects } = makeStudy(3, slice);
  const uploadId = await addArriving(objects);
  await fixture.db('uploadFiles').where({ uploadId, filename: '2.dcm' }).update({ status: 'uploading' });
  await examineArrived(deps(), uploadId);
  const study = await theStudy(uploadId);
  expect(study).toMatchObject({
    earlyDelivery: 'going',
    status: 'pending',
    seriesCount: 1,
    modalities: ['CT'],
  });
  expect(await fixture.instances(study.id)).toHaveLength(2);
  await fixture.db('studies').where({ id: study.id }).update({ earlyDelivery: 'waiting' });
  await examineArrived(deps(), uploadId);
  expect(await theStudy(uploadId)).toMatchObject({ earlyDelivery: 'waiting' });
  await fixture.db('uploadFiles').where({ uploadId, filename: '2.dcm' }).update({ status: 'received' });
  await examineArrived(deps(), uploadId);
  expect(await theStudy(uploadId)).toMatchObject({ id: study.id, earlyDelivery: 'going' });
  expect(await fixture.instances(study.id)).toHaveLength(3);
});

it('hands on an image once, also where its file comes again', async () => {
  const { objects } = makeStudy(1, slice);
  const uploadId = await addArriving(objects);
  await examineArrived(deps(), uploadId);
  await moveFiles(await addArriving(objects), uploadId);
  await examineArrived(deps(), uploadId);
  expect(await isSeen(uploadId)).toEqual([true, true]);
  expect(await fixture.instances((await theStudy(uploadId)).id)).toHaveLength(1);
});

it('gives an early STAT study its turn before all that is less urgent, while its upload may still go on', async () => {
  await fixture.addUpload(makeStudy(1), 'routine');
  await fixture.addUpload(makeStudy(1), 'emergency');
  const uploadId = await addArriving();
  await examineArrived(deps(), uploadId);
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

it('hands on nothing where nothing may go early, and looks at nothing of what is here as a whole', async () => {
  const off = await addArriving();
  await examineArrived(deps({ delivery: { eager: 'off' } }), off);
  expect(await studies(off)).toEqual([]);
  expect(await isSeen(off)).toEqual([true, true]);
  const uploadId = await addArriving();
  for (const status of ['received', 'processing', 'delivering'] as const) {
    await setStatus(uploadId, status);
    await examineArrived(deps(), uploadId);
  }
  expect(await studies(uploadId)).toEqual([]);
  expect(await isSeen(uploadId)).toEqual([false, false]);
});

it('looks at a file once, and once more only where the storage was at fault', async () => {
  const uploadId = await addArriving();
  const [file] = await listUploadFiles(fixture.db, uploadId);
  const broken = {
    ...deps(),
    files: { ...fixture.files, locate: () => Promise.reject(new Error('The disk is away')) },
  };
  await examineArrived(broken, uploadId);
  expect(await isSeen(uploadId)).toEqual([false, false]);
  // A worker ended over it.
  await fixture.db('uploadFiles').where({ id: file?.id }).update({ seenEarly: true });
  await examineArrived(deps(), uploadId);
  expect(await fixture.instances((await theStudy(uploadId)).id)).toHaveLength(1);
});

it('looks again for what a lost job was about, and for nothing else', async () => {
  const sweep = () => sweepArrived({ db: fixture.db, transact: fixture.transact, config });
  const uploadId = await addArriving();
  expect(await sweep()).toBe(0);
  await fixture
    .db('uploadFiles')
    .where({ uploadId })
    .update({ finishedAt: new Date(Date.now() - 60_000) });
  await fixture.takeJobs();
  expect(await sweep()).toBe(1);
  expect(await fixture.takeJobs()).toMatchObject([
    { queue: 'intake', jobId: `early-${uploadId}-sweep`, payload: { uploadId, early: true }, priority: 1 },
  ]);
  // Nothing of it may go early: it makes way for all that is here as a whole.
  await fixture.db('uploads').where({ id: uploadId }).update({ onDoubt: 'ask' });
  expect(await sweep()).toBe(1);
  expect(await fixture.takeJobs()).toMatchObject([
    { queue: 'arrivals', jobId: `ahead-${uploadId}-sweep`, payload: { uploadId } },
  ]);
  await examineArrived(deps(), uploadId);
  expect(await sweep()).toBe(0);
});

it('sends nothing of a study of which two patients arrive together, and tells nobody of it before its time', async () => {
  const { objects, studyInstanceUid } = makeStudy(1, slice);
  const bytes = buildDicom({ ...slice, studyInstanceUid, patientName: 'Roe^Mary', patientId: '815' });
  const uploadId = await addArriving([...objects, { sopInstanceUid: newUid(), bytes }]);
  await examineArrived(deps(), uploadId);
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
    await examineArrived(deps(), uploadId);
    await moveFiles(await addArriving(born), uploadId);
    await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
  expect(await isBegun()).toBe(0);
  await moveFiles(await addArriving(objects), uploadId);
  await examineArrived(deps(), uploadId);
  const { id, earlyDelivery } = await theStudy(uploadId);
  expect(earlyDelivery).toBe('going');
  expect(await fixture.instances(id)).toMatchObject([{ sopInstanceUid: objects[0]?.sopInstanceUid }]);
  expect(await isBegun()).toBe(1);
});

it('takes the study from whoever delivers it when another patient turns up', async () => {
  const { objects, studyInstanceUid } = makeStudy(1, slice);
  const uploadId = await addArriving(objects);
  await examineArrived(deps(), uploadId);
  const { id } = await theStudy(uploadId);
  const record = await openDelivery(await claimStudy(id), 'stat');
  const bytes = buildDicom({ ...slice, studyInstanceUid, patientName: 'Roe^Mary', patientId: '815' });
  await moveFiles(await addArriving([{ sopInstanceUid: newUid(), bytes }]), uploadId);
  await examineArrived(deps(), uploadId);
  await expect(record?.sending(record.instances)).rejects.toThrow(ClaimLost);
  expect(await theStudy(uploadId)).toMatchObject({ earlyDelivery: 'stopped', claimedBy: null });
  await record?.claim.stopRenewing();
});

it('lets an upload be cancelled as long as nothing has gone, even when it is about to', async () => {
  const uploadId = await addArriving();
  await examineArrived(deps(), uploadId);
  const record = await openDelivery(await claimStudy((await theStudy(uploadId)).id), 'stat');
  expect(await cancelUpload(fixture.transact, config.pacs, uploadId, SYSTEM_ACTOR)).toBe(true);
  await expect(record?.sending(record.instances)).rejects.toThrow(ClaimLost);
  expect(await fixture.upload(uploadId)).toMatchObject({ status: 'cancelled' });
  expect(await studies(uploadId)).toEqual([]);
  await record?.claim.stopRenewing();
});

it('ends an upload whose time is over when nothing of it is on its way any more', async () => {
  const uploadId = await addArriving();
  await examineArrived(deps(), uploadId);
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
