import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { SignedReceipt } from '@relaypacs/core/contract/receipts.js';
import type { InstanceList, UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { type Database, openDatabase } from '@relaypacs/core/db/database.js';
import { scanDicom } from '@relaypacs/core/dicom/scan.js';
import { bytesSource } from '@relaypacs/core/dicom/source.js';
import { TAG } from '@relaypacs/core/dicom/tags.js';
import { buildDicom, type DicomOptions, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { partsOf, TestSandbox } from '../sandbox/src/testing/sandbox-client.js';
import { makeJpeg } from '../worker/src/wrapping/testing/pictures.js';
import { type Answer, ApiClient } from './support/api-client.js';
import { type Stack, startStack } from './support/stack.js';

/** Refuses images without a Patient ID, as dcm4chee does. */
let strict: TestSandbox;
/** Takes them. */
let open: TestSandbox;
let stack: Stack;
let db: Database;
let admin: ApiClient;
let jane: ApiClient;

beforeAll(async () => {
  [strict, open] = await Promise.all([TestSandbox.start({ personality: 'dcm4chee' }), TestSandbox.start()]);
  const env = {
    PACS_URL: strict.url,
    PACS_NAME: 'Strict PACS',
    PACS_TARGETS: 'open',
    PACS_OPEN_URL: open.url,
    PACS_CHOICES: 'open',
    LOG_LEVEL: 'debug',
  };
  stack = await startStack({ env });
  db = openDatabase(stack.databaseUrl, 2);
  admin = await ApiClient.signUp(stack.baseUrl);
  jane = await ApiClient.signUp(stack.baseUrl);
});
beforeEach(() => fetch(`${strict.origin}/statistics`, { method: 'DELETE' }));
afterAll(async () => {
  await db?.destroy();
  await stack?.stop();
  await Promise.all([strict?.stop(), open?.stop()]);
});

interface Image {
  options: DicomOptions;
  bytes: Uint8Array;
}

/** Images of one study, numbered from 1; what is given for each comes on top. */
function makeImages(...each: DicomOptions[]): Image[] {
  const uids = { studyInstanceUid: newUid(), seriesInstanceUid: newUid() };
  return each.map((more, index) => {
    const sopInstanceUid = newUid();
    const about = { patientName: 'Doe^Jane', studyDate: '20260102', instanceNumber: index + 1 };
    const options = { ...uids, ...about, sopInstanceUid, ...more };
    return { options, bytes: buildDicom(options) };
  });
}
const WITHOUT_ID = { omit: [TAG.patientId] };
const EMPTY_ID = { patientId: '' };
const bytesOf = (images: readonly Image[]) => images.map(({ bytes }) => bytes);
/** As it would be with this ID from the beginning. */
const withId = ({ options: { omit, ...options } }: Image, patientId: string) =>
  buildDicom({ ...options, patientId });

/** The data set of a file: dcm4chee writes its own file header in front of it. */
async function dataset(file: Uint8Array): Promise<string> {
  const { meta } = await scanDicom(bytesSource(file));
  return Buffer.from(file.subarray(meta!.datasetOffset)).toString('hex');
}

/** The data set a PACS holds; undefined when it holds none. */
async function held(sandbox: TestSandbox, { options }: Image): Promise<string | undefined> {
  const { studyInstanceUid, seriesInstanceUid, sopInstanceUid } = options;
  const url = `/studies/${studyInstanceUid}/series/${seriesInstanceUid}/instances/${sopInstanceUid}`;
  const answer = await sandbox.get(url, {
    accept: 'multipart/related; type="application/dicom"; transfer-syntax=*',
  });
  const [part] = answer.ok ? await partsOf(answer) : [];
  return part && dataset(part);
}

const settled = ({ status }: UploadDetail) => ['delivered', 'failed', 'rejected'].includes(status);
const outcome = (id: string) => jane.waitFor(id, settled);
const correct = (id: string, fields: Record<string, unknown>, client = jane): Promise<Answer<UploadDetail>> =>
  client.patch(`/api/v1/uploads/${id}`, fields);
const retry = (id: string) => jane.post(`/api/v1/uploads/${id}/retry`);
const instancesOf = async (id: string) =>
  (await jane.get<InstanceList>(`/api/v1/uploads/${id}/instances`)).body.items;
const codesOf = ({ files }: UploadDetail) => files.map(({ findings }) => findings.map(({ code }) => code));
const PROBLEM = {
  code: 'PACS_PATIENT_ID_MISSING',
  remedy: 'correct',
  fields: ['patientId'],
  detail: expect.stringMatching(/The PACS refuses images without a patient ID\. Add it and send again\./),
};

describe('a study without a patient ID', () => {
  it('is refused with words for it, corrected, tried again, and arrives with the ID and nothing else changed', async () => {
    const images = makeImages(WITHOUT_ID, EMPTY_ID, {
      ...WITHOUT_ID,
      transferSyntaxUid: '1.2.840.10008.1.2',
    });
    const id = await jane.send(bytesOf(images), { clinicalHistory: 'Fell from a ladder.' });
    const failed = await outcome(id);
    expect(failed).toMatchObject({
      status: 'failed',
      problem: PROBLEM,
      instances: { total: 5, verified: 0, failed: 5 },
    });
    expect(failed.studies).toMatchObject([{ status: 'failed', problem: PROBLEM }]);

    const corrected = await correct(id, { patientId: 'SECRET-77' });
    expect(corrected).toMatchObject({ status: 200, body: { status: 'failed', patientId: 'SECRET-77' } });
    expect(await retry(id)).toMatchObject({ status: 202, body: { status: 'processing' } });
    const upload = await outcome(id);
    expect(upload).toMatchObject({
      status: 'delivered',
      problem: null,
      instances: { total: 5, verified: 5, failed: 0 },
    });
    for (const image of images)
      expect(await held(strict, image)).toBe(await dataset(withId(image, 'SECRET-77')));
    expect(upload.studies).toMatchObject([{ id: failed.studies[0]!.id, patientId: 'SECRET-77' }]);
    expect(codesOf(upload)).toEqual(images.map(() => ['MISSING_ATTRIBUTE', 'PATIENT_ID_ADDED']));
    expect(upload.files[0]!.findings[1]).toMatchObject({
      tier: 'repair',
      message: 'The images had no patient ID; the one you entered was added.',
    });
    expect(upload.timeline.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['failed', 'corrected', 'processing', 'delivering', 'delivered']),
    );
    // What was entered stands nowhere but with the upload and its study.
    expect(await db('auditEvents').where({ objectId: id, action: 'upload.corrected' })).toMatchObject([
      { detail: { fields: 'patientId' } },
    ]);
    expect(JSON.stringify(await db('auditEvents'))).not.toMatch(/SECRET/);
    for (const log of ['server.log', 'worker.log']) {
      expect(await readFile(path.join(stack.dataDir, log), 'utf8')).not.toMatch(/SECRET/);
    }
  });

  it('keeps what the PACS has confirmed already as it is, and sends only the rest', async () => {
    const images = makeImages({ patientId: 'P-5' }, WITHOUT_ID, { patientId: 'P-5' });
    const id = await jane.send(bytesOf(images), { clinicalHistory: 'Fell from a ladder.' });
    expect(await outcome(id)).toMatchObject({
      status: 'failed',
      instances: { total: 5, verified: 4, failed: 1 },
    });
    const sent = async () => (await strict.statistics()).instances.received!;
    const before = await sent();
    await correct(id, { patientId: 'P-5' });
    await retry(id);
    expect(await outcome(id)).toMatchObject({
      status: 'delivered',
      instances: { total: 5, verified: 5, alreadyThere: 0, documents: 2 },
    });
    expect(await sent()).toBe(before + 1);
    expect(await held(strict, images[1]!)).toBe(await dataset(withId(images[1]!, 'P-5')));
  });

  it('never gets the ID unasked: a PACS that takes it has it as it came', async () => {
    const images = makeImages(WITHOUT_ID);
    const id = await jane.send(bytesOf(images), { patientId: 'P-6', target: 'open' });
    const upload = await outcome(id);
    expect(upload).toMatchObject({ status: 'delivered' });
    expect(codesOf(upload)).toEqual([['MISSING_ATTRIBUTE']]);
    expect(await held(open, images[0]!)).toBe(await dataset(images[0]!.bytes));
  });

  it('gets the ID that was announced when it is tried again after the PACS has refused it', async () => {
    const images = makeImages(WITHOUT_ID);
    const id = await jane.send(bytesOf(images), { patientId: 'P-7' });
    expect(await outcome(id)).toMatchObject({ status: 'failed', problem: PROBLEM });
    expect(await retry(id)).toMatchObject({ status: 202, body: { status: 'processing' } });
    expect(await outcome(id)).toMatchObject({ status: 'delivered' });
    expect(await held(strict, images[0]!)).toBe(await dataset(withId(images[0]!, 'P-7')));
  });

  it("does not get the announced patient's ID when it is another patient's, and says what to do instead", async () => {
    const [own] = makeImages(WITHOUT_ID);
    const [other] = makeImages({ ...WITHOUT_ID, patientName: 'Roe^Richard' });
    const [nobody] = makeImages({ omit: [TAG.patientId, TAG.patientName] });
    const id = await jane.send(bytesOf([own!, other!, nobody!]));
    expect(await outcome(id)).toMatchObject({ status: 'failed', problem: { remedy: 'correct' } });
    await correct(id, { patientId: 'P-8' });
    await retry(id);
    const upload = await outcome(id);
    expect(upload).toMatchObject({ status: 'failed', problem: { remedy: 'new_upload' } });
    expect(upload.problem!.fields).toBeUndefined();
    expect(await db('uploads').where({ id }).first('correctedAt')).toEqual({ correctedAt: null });
    expect(await held(strict, own!)).toBe(await dataset(withId(own!, 'P-8')));
    expect(await Promise.all([other!, nobody!].map((image) => held(strict, image)))).toEqual([
      undefined,
      undefined,
    ]);
    const problems = upload.studies.filter(({ status }) => status === 'failed').map(({ problem }) => problem);
    expect(problems).toMatchObject([{ remedy: 'new_upload' }, { remedy: 'new_upload' }]);
  });

  it('says so when its character set cannot write the ID', async () => {
    const charset = { tag: TAG.specificCharacterSet, vr: 'CS', value: 'ISO_IR 100' };
    const images = makeImages({ ...WITHOUT_ID, elements: [charset] });
    const id = await jane.send(bytesOf(images));
    await outcome(id);
    await correct(id, { patientId: 'Ж-9' });
    await retry(id);
    const upload = await outcome(id);
    expect(upload).toMatchObject({ status: 'failed', problem: { remedy: 'new_upload' } });
    expect(codesOf(upload)).toEqual([['MISSING_ATTRIBUTE', 'PATIENT_ID_NOT_ADDED']]);
    await correct(id, { patientId: 'Ü-9' });
    await retry(id);
    expect(await outcome(id)).toMatchObject({ status: 'delivered', studies: [{ patientId: 'Ü-9' }] });
  });

  it('keeps the PACS it was redirected to', async () => {
    const images = makeImages(WITHOUT_ID, WITHOUT_ID);
    await open.putFaults({ kind: 'refuse', on: 'any' });
    const id = await jane.send(bytesOf(images), { target: 'open' });
    await jane.waitFor(id, ({ waitingFor }) => waitingFor === 'pacs');
    await admin.post(`/api/v1/uploads/${id}/resend`, { target: 'default' });
    expect(await outcome(id)).toMatchObject({ status: 'failed', problem: PROBLEM });
    await open.deleteFaults();
    await correct(id, { patientId: 'P-10' });
    await retry(id);
    expect(await outcome(id)).toMatchObject({ status: 'delivered', studies: [{ target: 'default' }] });
  });
});

describe('a clinical history', () => {
  it('that names another patient after a correction is another document: the PACS has the one before', async () => {
    const nameless = { omit: [TAG.patientName], patientId: 'P-20' };
    const images = makeImages(nameless, nameless);
    const refused = { sopInstanceUids: [images[1]!.options.sopInstanceUid!], reason: 43264, times: 1 };
    await strict.putFaults({ kind: 'partialFailure', on: 'stow', ...refused });
    const given = { patientName: 'Wong^Name', patientId: 'P-20', clinicalHistory: 'Fell from a ladder.' };
    const id = await jane.send(bytesOf(images), given);
    expect(await outcome(id)).toMatchObject({ status: 'failed', instances: { verified: 3, failed: 1 } });
    await correct(id, { patientName: 'Right^Name' });
    await retry(id);
    const upload = await outcome(id);
    expect(upload).toMatchObject({ status: 'delivered', instances: { total: 4, verified: 4, documents: 2 } });
    expect(upload.warnings).toMatchObject([
      {
        code: 'SUPERSEDED_IN_PACS',
        message: expect.stringMatching(
          /^2 documents with the details from before .* are in Strict PACS, and have to be removed there/,
        ),
      },
    ]);
    const superseded = (await instancesOf(id)).filter(({ supersededAt }) => supersededAt !== null);
    expect(superseded.map(({ status }) => status)).toEqual(['verified', 'verified']);
    // The receipt is about what is part of the upload.
    const receipt = await jane.get<SignedReceipt>(`/api/v1/uploads/${id}/receipt`);
    const said = JSON.stringify(receipt.body.deliveries);
    expect(said).toContain(images[0]!.options.sopInstanceUid);
    for (const { sopInstanceUid } of superseded) expect(said).not.toContain(sopInstanceUid);
    const events = await db('auditEvents').where({
      action: 'study.superseded',
      objectId: upload.studies[0]!.id,
    });
    expect(events).toHaveLength(1);
    expect(events[0].detail).toMatchObject({ target: 'default', instances: 2 });
    expect(events[0].detail.sopInstanceUids.split(' ').sort()).toEqual(
      superseded.map(({ sopInstanceUid }) => sopInstanceUid).sort(),
    );
    const held = await strict.json(`/studies/${images[0]!.options.studyInstanceUid}/metadata`);
    const names = held.map((each) => JSON.stringify(each['00100010']?.Value ?? []));
    const named = (name: string) => names.filter((each) => each.includes(name)).length;
    expect([named('Wong^Name'), named('Right^Name')]).toEqual([2, 2]);
    // The documents nobody refers to any more are gone, those the PACS has are not.
    expect(await db('uploadFiles').where({ uploadId: id, isDerived: true }).count()).toEqual([{ count: 4 }]);
  });
});

describe('a picture', () => {
  it('of nobody is rejected, and goes on once its patient is entered', async () => {
    const id = await jane.send([makeJpeg(24)], { patientName: 'Unknown', modality: 'XC' });
    expect(await outcome(id)).toMatchObject({
      status: 'rejected',
      problem: { code: 'NO_USABLE_FILES', remedy: 'correct', fields: ['patientName'] },
    });
    expect((await retry(id)).status).toBe(409);
    await correct(id, { patientName: 'Wound, Wanda', patientId: 'P-11' });
    expect(await retry(id)).toMatchObject({ status: 202, body: { status: 'processing' } });
    const upload = await outcome(id);
    expect(upload).toMatchObject({ status: 'delivered', patientName: 'Wound, Wanda', problem: null });
    expect(upload.studies).toMatchObject([{ patientName: 'Wound, Wanda', patientId: 'P-11' }]);
  });

  it('is another object once its patient was corrected: the PACS has the one before', async () => {
    await strict.putFaults({ kind: 'partialFailure', on: 'stow', reason: 43264, every: 2, times: 1 });
    const pictures = [makeJpeg(28), makeJpeg(30)];
    const id = await jane.send(pictures, { patientName: 'Wong^Name', modality: 'XC', patientId: 'P-12' });
    const failed = await outcome(id);
    expect(failed).toMatchObject({ status: 'failed', instances: { total: 2, verified: 1, failed: 1 } });
    await correct(id, { patientName: 'Wound^Wanda' });
    await retry(id);
    const upload = await outcome(id);
    expect(upload).toMatchObject({ status: 'delivered', instances: { total: 2, verified: 2 } });
    expect(upload.studies).toMatchObject([{ patientName: 'Wound, Wanda', instances: { total: 2 } }]);
    expect(upload.studies[0]!.studyInstanceUid).not.toBe(failed.studies[0]!.studyInstanceUid);
    expect(upload.warnings).toMatchObject([
      {
        code: 'SUPERSEDED_IN_PACS',
        message: expect.stringMatching(/^2 images .* are or may be in Strict PACS \(1 for certain\)/),
      },
    ]);
    const superseded = (await instancesOf(id)).filter(({ supersededAt }) => supersededAt !== null);
    expect(superseded.map(({ studyId }) => studyId)).toEqual(failed.studies.flatMap((s) => [s.id, s.id]));
  });

  it('stays on record with what was sent again of it, and is part again when the correction is taken back', async () => {
    const [image] = makeImages(WITHOUT_ID);
    const given = { patientName: 'Wong^Name', modality: 'XC', patientId: 'P-16' };
    const id = await jane.send([makeJpeg(34), image!.bytes], given);
    const failed = await outcome(id);
    const there = failed.studies.find(({ status }) => status === 'delivered');
    expect([failed.status, failed.studies.length, there?.patientName]).toEqual(['failed', 2, 'Wong, Name']);
    await admin.post(`/api/v1/uploads/${id}/resend`, { target: 'open', studyId: there!.id });
    await jane.waitFor(id, ({ studies }) =>
      studies.some(({ resendOf, status }) => resendOf !== null && status === 'delivered'),
    );
    await correct(id, { patientName: 'Wound^Wanda' });
    const refused = await admin.post(`/api/v1/uploads/${id}/resend`, { target: 'open' });
    expect(refused).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/Press Retry first/) },
    });
    await retry(id);
    const upload = await outcome(id);
    expect(upload.warnings.filter(({ code }) => code === 'SUPERSEDED_IN_PACS')).toMatchObject([
      { message: expect.stringMatching(/^1 image .* is in Strict PACS/) },
      { message: expect.stringMatching(/^1 image .* is in open/) },
    ]);
    expect(upload.studies.map((study) => study.id)).not.toContain(there!.id);
    await correct(id, { patientName: 'Wong^Name' });
    await retry(id);
    const again = await outcome(id);
    expect(again.studies.find((study) => study.id === there!.id)).toMatchObject({ status: 'delivered' });
  });
});

describe('an upload that waits for its sender', () => {
  const waits = (id: string) => jane.waitFor(id, ({ waitingFor }) => waitingFor === 'sender');
  const send = async () => {
    const images = makeImages({ patientId: 'P-13' });
    const given = { onDoubt: 'ask', patientName: 'Roe, Richard', patientId: 'P-13' } as const;
    const id = await jane.send([...bytesOf(images), makeJpeg(32)], given);
    expect((await waits(id)).studies[0]!.warnings).toMatchObject([{ code: 'PATIENT_NAME_MISMATCH' }]);
    return id;
  };

  it('is checked anew with what was corrected, and goes on when no doubt is left', async () => {
    const id = await send();
    expect((await retry(id)).status).toBe(409);
    await correct(id, { patientName: 'Doe, Jane' });
    expect((await retry(id)).status).toBe(202);
    const upload = await outcome(id);
    expect(upload).toMatchObject({ status: 'delivered', warningCount: 0 });
    // The picture belongs to the study now.
    expect(upload.studies).toMatchObject([{ instances: { total: 2 }, modalities: ['CT', 'OT'] }]);
  });

  it('cannot be taken back when part of it went to the PACS before it was corrected', async () => {
    const images = makeImages({ patientId: 'P-16' }, WITHOUT_ID);
    const id = await jane.send(bytesOf(images), {
      onDoubt: 'ask',
      patientId: 'P-16',
      studyDate: '2026-01-02',
    });
    expect(await outcome(id)).toMatchObject({ status: 'failed', instances: { verified: 1, failed: 1 } });
    await correct(id, { patientName: 'Roe, Richard' });
    await retry(id);
    expect(await waits(id)).toMatchObject({ status: 'processing' });
    const refused = await jane.request('DELETE', `/api/v1/uploads/${id}`);
    expect(refused).toMatchObject({ status: 409, body: { code: 'UPLOAD_STATE_CONFLICT' } });
    expect(refused.body.detail).toMatch(/what has gone to the PACS stays there/);
    await correct(id, { patientName: 'Doe, Jane', patientId: 'P-16' });
    await retry(id);
    expect(await outcome(id)).toMatchObject({ status: 'delivered', instances: { total: 2, verified: 2 } });
  });

  it('is sent as corrected, also by who does not want to be asked again', async () => {
    const id = await send();
    await correct(id, { patientName: 'Poe, Edgar' });
    await jane.post(`/api/v1/uploads/${id}/confirm`);
    const upload = await outcome(id);
    expect(upload).toMatchObject({ status: 'delivered', patientName: 'Poe, Edgar' });
    expect(upload.studies.map(({ patientName }) => patientName).sort()).toEqual(['Doe, Jane', 'Poe, Edgar']);
  });
});

describe('an upload whose last check could not be made', () => {
  it.each([
    ['the check failed', { problem: JSON.stringify({ code: 'INTAKE_FAILED', title: 'T', detail: 'D' }) }],
    ['a file was not looked at', { status: 'failed' }],
  ])('is checked before anything of it is delivered: %s', async (why, change) => {
    const images = makeImages({ patientId: 'P-30' }, { patientId: 'P-30' });
    const refused = { sopInstanceUids: [images[1]!.options.sopInstanceUid!], reason: 43264, times: 1 };
    await strict.putFaults({ kind: 'partialFailure', on: 'stow', ...refused });
    const id = await jane.send(bytesOf(images));
    expect(await outcome(id)).toMatchObject({ status: 'failed' });
    // As an intake leaves it that never got to the files which were added.
    await db('studies').where({ uploadId: id }).update({ status: 'pending' });
    await db('uploads').where({ id }).update(change);
    if (why !== 'the check failed') {
      await db('uploadFiles')
        .where({ uploadId: id, filename: (await jane.upload(id)).files[1]!.filename })
        .update({ status: 'received', kind: null });
    }
    const redirected = await admin.post(`/api/v1/uploads/${id}/resend`, { target: 'open' });
    expect(redirected).toMatchObject({
      status: 409,
      body: { detail: expect.stringMatching(/not all files/i) },
    });
    expect(await retry(id)).toMatchObject({ status: 202, body: { status: 'processing' } });
    const upload = await outcome(id);
    expect(upload).toMatchObject({ status: 'delivered', instances: { total: 2, verified: 2 } });
    expect(upload.files.map(({ status }) => status)).toEqual(['accepted', 'accepted']);
  });
});

describe('a correction', () => {
  it('changes what is given, and takes back what is null', async () => {
    const [image] = makeImages(WITHOUT_ID);
    const given = { patientBirthDate: '1970-01-01', patientSex: 'F', studyDescription: 'Knee' } as const;
    const id = await jane.send([image!.bytes], given);
    await outcome(id);
    const fields = { patientSex: null, studyDescription: ' Hip ', studyDate: '2026-01-03', modality: 'mr' };
    expect((await correct(id, fields, admin)).body).toMatchObject({
      patientName: 'Doe^Jane',
      patientBirthDate: '1970-01-01',
      patientSex: null,
      studyDescription: 'Hip',
      studyDate: '2026-01-03',
      modality: 'MR',
    });
    // It counts as the study it is now.
    const again = { patientName: 'Doe^Jane', serviceLevel: 'routine', fileCount: 1, totalBytes: 1 };
    await db('uploads').where({ id }).update({ status: 'delivered' });
    const asIs = await jane.post('/api/v1/uploads', { ...again, studyDate: '2026-01-03', modality: 'MR' });
    expect(asIs).toMatchObject({ status: 409, body: { code: 'DUPLICATE_STUDY', existing: { id } } });
  });

  it('names what is wrong with it', async () => {
    const [image] = makeImages(WITHOUT_ID);
    const id = await jane.send([image!.bytes]);
    await outcome(id);
    for (const [fields, where] of [
      [{}, ''],
      [{ patientId: 'A\\B' }, 'patientId'],
      [{ patientName: null }, 'patientName'],
      [{ clinicalHistory: 'Other' }, 'clinicalHistory'],
    ] as const) {
      expect(await correct(id, fields)).toMatchObject({
        status: 422,
        body: { errors: expect.arrayContaining([expect.objectContaining({ path: where })]) },
      });
    }
    expect(await db('uploads').where({ id }).first('correctedAt')).toEqual({ correctedAt: null });
  });

  it('is for the sender and administrators, as long as it can change something', async () => {
    const announced = await jane.announce();
    const early = await correct(announced.id, { patientId: 'P-14' });
    expect(early).toMatchObject({ status: 409, body: { code: 'UPLOAD_STATE_CONFLICT' } });
    const [image] = makeImages({ patientId: 'P-14' });
    const id = await jane.send([image!.bytes]);
    await outcome(id);
    const late = await correct(id, { patientId: 'P-15' });
    expect(late).toMatchObject({ status: 409, body: { detail: expect.stringMatching(/corrected there/) } });
    const stranger = await ApiClient.signUp(stack.baseUrl);
    expect(await correct(id, { patientId: 'P-15' }, stranger)).toMatchObject({ status: 404 });
    await db('uploads').where({ id }).update({ status: 'rejected', bytesRemovedAt: new Date() });
    const gone = await correct(id, { patientId: 'P-15' });
    expect(gone).toMatchObject({ status: 409, body: { detail: expect.stringMatching(/no longer kept/) } });
    expect((await jane.upload(id)).patientId).toBeNull();
  });
});
