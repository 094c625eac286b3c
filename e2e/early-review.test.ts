import { DEFAULT_TARGET } from '@relaypacs/core/config-targets.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { claimNextStudy } from '@relaypacs/core/db/delivery-queue.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { listUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { buildDicom, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { expect, it } from 'vitest';
import { correctUpload } from '../server/src/uploads/correct-upload.js';
import { resendStudies } from '../server/src/uploads/resend-studies.js';
import { retryUpload } from '../server/src/uploads/retry-upload.js';
import { openDelivery } from '../worker/src/delivery/delivery-record.js';
import { problemOfStudy } from '../worker/src/delivery/study-outcome.js';
import { examineArrived } from '../worker/src/intake/examine-arrived.js';
import { takeInUpload } from '../worker/src/intake/take-in-upload.js';
import { ClaimLost } from '../worker/src/row-claim.js';
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

it('keeps what went, the PACS it went to, and nothing of a study of which nothing went', async () => {
  const [went, waits] = [makeStudy(1, slice), makeStudy(1, slice)];
  const uploadId = await addArriving([...went.objects, ...waits.objects]);
  await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
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

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000);
const secondsUntil = (date: Date | null) => ((date?.getTime() ?? 0) - Date.now()) / 1000;

it('keeps a wait of the PACS when all has arrived', async () => {
  const uploadId = await addArriving();
  await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
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
    await examineArrived(deps(), uploadId);
    const { id } = await theStudy(uploadId);
    const claim = isHeld ? await claimStudy(id) : undefined;
    await fixture.db('studies').where({ id }).update({ nextAttemptAt: wait });
    await moveFiles(await addArriving([{ sopInstanceUid: newUid(), bytes }]), uploadId);
    await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
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
  await examineArrived(deps(), uploadId);
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

it('lets nothing more go when the files cannot be read, and tries again what was refused on Retry', async () => {
  const uploadId = await addArriving();
  await examineArrived(deps(), uploadId);
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

it('asks the sender, where a doubt is to be asked about by now, unless something went already', async () => {
  const hold = { intake: { ...config.intake, mismatch: 'hold' as const } };
  const outcome = async (isSent: boolean) => {
    const uploadId = await addArriving(makeStudy(1, slice).objects);
    await examineArrived(deps(), uploadId);
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
