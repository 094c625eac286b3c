/** Deliveries to the archives of the cloud, and to one that loses what comes twice, as the sandbox plays them. */
import { createHash } from 'node:crypto';
import { buildDicom, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  multipartBody,
  STOW_TYPE,
  TestSandbox,
  type TestSandboxOptions,
} from '../sandbox/src/testing/sandbox-client.js';
import type { DeliveryDeps } from '../worker/src/delivery/deliver-study.js';
import { DeliveryFixture, makeStudy, type TestObject, type TestStudy } from './support/delivery-fixture.js';
import { dataSetDigest, dataSetDigests } from './support/sandbox-contents.js';

const CLOUDS = ['azure', 'google', 'aws'] as const;
/** Four requests: one image that begins the study, then the rest. */
const INSTANCES = 45;
/** Of a search, fewer than the study has, and no divisor of it. */
const MOST_ROWS = 10;

let fixture: DeliveryFixture;
let sandbox: TestSandbox;

beforeAll(async () => {
  fixture = await DeliveryFixture.start('clouds');
});
afterEach(async () => {
  await sandbox.stop();
  await fixture.db('pacsCircuits').delete();
});
afterAll(async () => {
  await fixture?.close();
});

async function startSandbox(options: TestSandboxOptions): Promise<void> {
  sandbox = await TestSandbox.start(options);
}

const deps = (more: Partial<DeliveryDeps> = {}) => fixture.deps({ url: sandbox.url }, more);
const uidsOf = ({ objects }: Pick<TestStudy, 'objects'>) => objects.map((each) => each.sopInstanceUid).sort();
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Another system stores these. */
async function storeBefore(objects: readonly TestObject[]): Promise<void> {
  const answer = await fetch(`${sandbox.url}/studies`, {
    method: 'POST',
    headers: { 'Content-Type': STOW_TYPE, Accept: 'application/dicom+json' },
    body: new Uint8Array(multipartBody(objects.map(({ bytes }) => Buffer.from(bytes)))),
  });
  expect(answer.status).toBe(200);
  await fetch(`${sandbox.origin}/statistics`, { method: 'DELETE' });
}

/** SHA-256 of an instance as the archive hands it out; undefined where it does not. */
async function digestInArchive(
  { studyInstanceUid, seriesInstanceUid }: Pick<TestStudy, 'studyInstanceUid' | 'seriesInstanceUid'>,
  { sopInstanceUid }: TestObject,
): Promise<string | undefined> {
  const place = `/studies/${studyInstanceUid}/series/${seriesInstanceUid}/instances/${sopInstanceUid}`;
  const answer = await sandbox.get(place, { accept: 'application/dicom; transfer-syntax=*' });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return answer.ok ? sha256(bytes) : undefined;
}

async function expectHeld(study: Parameters<typeof digestInArchive>[0] & Pick<TestStudy, 'objects'>) {
  for (const each of study.objects) expect(await digestInArchive(study, each)).toBe(sha256(each.bytes));
}

describe.each(CLOUDS)('to %s', (personality) => {
  it('a study of several requests goes completely and once, however few rows a search gives', async () => {
    await startSandbox({ personality, mostRows: MOST_ROWS });
    const study = await fixture.addUpload(makeStudy(INSTANCES));
    expect(await fixture.deliverAll(deps(), study)).toMatchObject({ status: 'delivered', problem: null });
    expect((await sandbox.found()).sort()).toEqual(uidsOf(study));
    await expectHeld(study);
    expect((await sandbox.statistics()).instances).toMatchObject({
      received: INSTANCES,
      stored: INSTANCES,
      repeated: 0,
    });
  });

  it('what is there with the same bytes counts as already there', async () => {
    await startSandbox({ personality, mostRows: MOST_ROWS });
    const slices = makeStudy(INSTANCES);
    await storeBefore(slices.objects.slice(0, 25));
    const study = await fixture.addUpload(slices);
    expect(await fixture.deliverAll(deps(), study)).toMatchObject({ status: 'delivered', problem: null });
    await expectHeld(study);
    expect((await sandbox.statistics()).instances).toMatchObject({ received: 20, needless: 0 });
    const instances = await fixture.instances(study.studyId);
    expect(instances.filter(({ alreadyThere }) => alreadyThere)).toHaveLength(25);
    expect(instances.filter(({ problem }) => problem)).toEqual([]);
  });

  it('what is there with other bytes is reported, and never overwritten', async () => {
    await startSandbox({ personality, mostRows: MOST_ROWS });
    const slices = makeStudy(23);
    const taken = slices.objects[12]!;
    const other = { ...taken, bytes: buildDicom({ ...slices, ...taken, instanceNumber: 99 }) };
    await storeBefore([other]);
    const study = await fixture.addUpload(slices);
    const upload = await fixture.deliverAll(deps(), study);
    expect(upload).toMatchObject({ status: 'failed', problem: { code: 'CONFLICT' } });
    expect(upload.problem?.detail).toMatch(/series 1 image 13\./);
    await expectHeld({ ...slices, objects: slices.objects.map((each) => (each === taken ? other : each)) });
    expect((await sandbox.statistics()).instances).toMatchObject({ received: 22, needless: 0 });
  });

  it('what it stored and did not say is asked for, and not sent again', async () => {
    await startSandbox({ personality, mostRows: MOST_ROWS });
    await sandbox.putFaults({ kind: 'storedButAnswerLost', on: 'stow', times: 2 });
    const study = await fixture.addUpload(makeStudy(INSTANCES));
    expect(await fixture.deliverAll(deps(), study)).toMatchObject({ status: 'delivered' });
    await expectHeld(study);
    expect((await sandbox.statistics()).instances).toMatchObject({ received: INSTANCES, repeated: 0 });
  });
});

describe.each(['azure', 'google'] as const)('to %s', (personality) => {
  const STALE = { kind: 'storesButHides', on: 'stow', seconds: 3, times: 1 } as const;

  it('what searches did not show and the archive says it holds is compared as soon as it is shown', async () => {
    await startSandbox({ personality });
    const slices = makeStudy(5);
    const taken = slices.objects[3]!;
    const other = { ...taken, bytes: buildDicom({ ...slices, ...taken, instanceNumber: 99 }) };
    await sandbox.putFaults(STALE);
    await storeBefore([slices.objects[1]!, other]);
    const study = await fixture.addUpload(slices);
    const upload = await fixture.deliverAll(deps({ patienceSeconds: [1, 1, 2, 2] }), study);
    expect(upload).toMatchObject({ status: 'failed', problem: { code: 'CONFLICT' } });
    expect(upload.problem?.title).toBe('1 of 5 images could not be delivered');
    await expectHeld({ ...slices, objects: slices.objects.map((each) => (each === taken ? other : each)) });
  });
});

describe.each(['azure', 'google'] as const)('to %s', (personality) => {
  const deliverHidden = async (seconds: number, indexPatienceMs: number) => {
    await startSandbox({ personality });
    const slices = makeStudy(5);
    await sandbox.putFaults({ kind: 'storesButHides', on: 'stow', seconds, times: 1 });
    await storeBefore([slices.objects[1]!]);
    const study = await fixture.addUpload(slices);
    return { study, upload: await fixture.deliverAll(deps({ indexPatienceMs }), study) };
  };

  it('what the archive says it holds and shows late is waited for, and delivered', async () => {
    const { study, upload } = await deliverHidden(2, 12_000);
    expect(upload).toMatchObject({ status: 'delivered', problem: null });
    await expectHeld(study);
  });

  it('what the archive says it holds and never shows is not confirmed, and not called refused', async () => {
    const { upload } = await deliverHidden(3600, 1000);
    expect(upload).toMatchObject({ status: 'failed', problem: { code: 'PACS_NOT_CONFIRMED' } });
    expect(upload.problem?.title).toBe('1 of 5 images could not be delivered');
  });
});

describe('to aws', () => {
  it('requests larger than it takes are halved, and one image that is too large is named', async () => {
    await startSandbox({ personality: 'aws', mostRequestBytes: 120_000 });
    const slices = makeStudy(30, { rows: 96, columns: 96 });
    const sopInstanceUid = newUid();
    const size = { rows: 300, columns: 300 };
    const large = {
      sopInstanceUid,
      bytes: buildDicom({ ...slices, ...size, sopInstanceUid, instanceNumber: 31 }),
    };
    const study = await fixture.addUpload({ ...slices, objects: [...slices.objects, large] });
    const upload = await fixture.deliverAll(deps(), study);
    expect(upload).toMatchObject({ status: 'failed', problem: { code: 'PACS_TOO_LARGE' } });
    expect(upload.problem?.title).toBe('1 of 31 images could not be delivered');
    expect(upload.problem?.detail).toMatch(/does not take an object of this size.*series 1 image 31/s);
    expect((await sandbox.found()).sort()).toEqual(uidsOf(slices));
    await expectHeld(slices);
    expect((await sandbox.statistics()).instances).toMatchObject({ repeated: 0 });
  });

  it('an image it puts aside, because it contradicts its study there, is never called delivered', async () => {
    await startSandbox({ personality: 'aws' });
    const slices = makeStudy(3);
    const elsewhere = { sopInstanceUid: newUid(), patientId: 'ANOTHER-PATIENT' };
    await storeBefore([{ ...elsewhere, bytes: buildDicom({ ...slices, ...elsewhere }) }]);
    const study = await fixture.addUpload(slices);
    const upload = await fixture.deliverAll(deps(), study);
    expect(upload).toMatchObject({ status: 'failed', problem: { code: 'PACS_NOT_CONFIRMED' } });
    expect(await sandbox.found()).toEqual([elsewhere.sopInstanceUid]);
  });
});

describe('to a dcm4chee that loses what comes although it holds it', () => {
  it.each([
    ['loses its answers', { kind: 'storedButAnswerLost', on: 'stow', times: 3 }],
    ['breaks off in the middle', { kind: 'dropMidBody', on: 'stow', afterBytes: 60_000, times: 3 }],
    ['is slow to show what it stored', { kind: 'storesButHides', on: 'stow', seconds: 2, times: 3 }],
  ] as const)('a study goes whole, although it %s', async (_, fault) => {
    await startSandbox({ personality: 'dcm4chee', mostRows: MOST_ROWS });
    await sandbox.putFaults(fault, { kind: 'losesDuplicates', on: 'stow' });
    const study = await fixture.addUpload(makeStudy(INSTANCES, { rows: 96, columns: 96 }));
    const patience = { patienceSeconds: [0.5, 1, 1, 2] };
    expect(await fixture.deliverAll(deps(patience), study)).toMatchObject({ status: 'delivered' });
    const sent = study.objects.map(({ bytes }) => dataSetDigest(bytes)).sort();
    expect([...(await dataSetDigests(sandbox, study.studyInstanceUid))].sort()).toEqual(sent);
    const [fired, lost] = await sandbox.fired();
    expect(fired).toBeGreaterThan(0);
    expect(lost).toBe(0);
  });

  it('nothing is lost when a study is sent again', async () => {
    await startSandbox({ personality: 'dcm4chee', mostRows: MOST_ROWS });
    await sandbox.putFaults({ kind: 'losesDuplicates', on: 'stow' });
    const slices = makeStudy(INSTANCES);
    await fixture.deliverAll(deps(), await fixture.addUpload(slices));
    expect(await fixture.deliverAll(deps(), await fixture.addUpload(slices))).toMatchObject({
      status: 'delivered',
    });
    expect(await sandbox.fired()).toEqual([0]);
    expect((await dataSetDigests(sandbox, slices.studyInstanceUid)).size).toBe(INSTANCES);
  });
});
