import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { newId } from '@relaypacs/core/db/ids.js';
import { makeSlice, newUid } from '@relaypacs/core/dicom/testing/build.js';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../scripts/embedded-postgres.js';
import { migrate } from '../scripts/migrate.js';
import { presentUpload } from '../server/src/uploads/present-upload.js';
import type { DeliveryDeps } from '../worker/src/delivery/deliver-study.js';
import { DeliveryDispatcher } from '../worker/src/delivery/dispatcher.js';
import { DeliveryFixture, makeStudy, type TestStudy } from './support/delivery-fixture.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests } from './support/orthanc-contents.js';
import { RecordingProxy } from './support/recording-proxy.js';
import { tally } from './support/stow-recorder.js';

let directory: string;
let postgres: EmbeddedPostgres;
let orthanc: Orthanc;
let fixture: DeliveryFixture;
let proxy: RecordingProxy;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relaypacs delivery-'));
  [postgres, orthanc] = await Promise.all([startEmbeddedPostgres({ dataDir: directory }), startOrthanc()]);
  await migrate(postgres.url);
  fixture = new DeliveryFixture(postgres.url, await mkdtemp(path.join(directory, 'storage-')));
});

beforeEach(async () => {
  await fixture.db('pacsCircuits').delete();
  proxy = await RecordingProxy.start(orthanc.url);
  return () => proxy.close();
});

afterAll(async () => {
  await fixture?.close();
  await postgres?.stop();
  await orthanc?.dispose();
  await rm(directory, { recursive: true, force: true });
});

const auth = () => ({ mode: 'basic' as const, username: orthanc.username, password: orthanc.password });
const deps = (more: Partial<DeliveryDeps> = {}) => fixture.deps({ url: proxy.url, auth: auth() }, more);

/** SHA-256 of each object as Orthanc hands it out; empty for one it does not hold. */
async function digestsInOrthanc({ studyInstanceUid, objects }: TestStudy): Promise<string[]> {
  const digests = await orthancDigests(orthanc, studyInstanceUid);
  return objects.map(({ sopInstanceUid }) => digests.get(sopInstanceUid) ?? '');
}

const digestsSent = (study: TestStudy) =>
  study.objects.map(({ bytes }) => createHash('sha256').update(bytes).digest('hex'));

const onceEach = (study: TestStudy) =>
  new Map(study.objects.map(({ sopInstanceUid }) => [sopInstanceUid, 1]));

async function statuses({ studyId }: TestStudy): Promise<Record<string, number>> {
  return Object.fromEntries(tally((await fixture.instances(studyId)).map(({ status }) => status)));
}

interface Stall {
  /** Resolves when the proxy holds a request back. */
  stalled: Promise<void>;
  /** Lets it go on. */
  go: () => void;
}

/** Holds requests back, from the `nth` STOW-RS request on, once so many bytes of them went through. */
function stallAt(nth: number, afterBytes: number): Stall {
  let [reached, go] = [() => {}, () => {}];
  const stalled = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const going = new Promise<void>((resolve) => {
    go = resolve;
  });
  proxy.onStowBytes = (bytes, request) => {
    if (request < nth || bytes < afterBytes) return;
    reached();
    return going;
  };
  return { stalled, go };
}

async function find(level: 'Study' | 'Instance', query: Record<string, string>): Promise<string[]> {
  const body = JSON.stringify({ Level: level, Query: query });
  return (await orthanc.rest('/tools/find', { method: 'POST', body })).json() as Promise<string[]>;
}

async function countInOrthanc({ studyInstanceUid }: TestStudy): Promise<number> {
  return (await find('Instance', { StudyInstanceUID: studyInstanceUid })).length;
}

async function removeFromOrthanc(sopInstanceUid: string): Promise<void> {
  const [id] = await find('Instance', { SOPInstanceUID: sopInstanceUid });
  await orthanc.rest(`/instances/${id}`, { method: 'DELETE' });
}

/** Waits for a state, however long the test allows. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((again) => setTimeout(again, 20));
}

it('brings a study into Orthanc byte for byte, each instance sent once', async () => {
  const study = await fixture.addUpload(makeStudy(105, { rows: 128, columns: 128 }), 'stat');
  const events = fixture.events.length;
  const upload = await fixture.deliverAll(deps(), study);

  expect(upload).toMatchObject({ status: 'delivered', problem: null });
  expect(await statuses(study)).toEqual({ verified: 105 });
  expect(await fixture.study(study.studyId)).toMatchObject({
    status: 'delivered',
    waitingFor: null,
    claimedBy: null,
    deliveredAt: expect.any(Date),
  });
  expect(await digestsInOrthanc(study)).toEqual(digestsSent(study));
  expect(proxy.sent()).toEqual(onceEach(study));
  expect((await fixture.instances(study.studyId)).every(({ sends }) => sends === 1)).toBe(true);
  const atOnce = proxy.stows.map((stow) => stow.atOnce);
  expect(proxy.stows).toHaveLength(7);
  // One instance creates the study, and only then others follow.
  expect(proxy.stows[0]?.uids).toHaveLength(1);
  expect(atOnce.slice(0, 2)).toEqual([1, 1]);
  expect(Math.max(...atOnce)).toBeLessThanOrEqual(4);
  expect(fixture.events.slice(events).at(-1)).toMatchObject({
    uploadId: study.uploadId,
    status: 'delivered',
  });
  expect(JSON.stringify(fixture.log)).not.toMatch(/secret/i);
});

it('shows how much is stored while the rest is sent, before anything is verified', async () => {
  const study = await fixture.addUpload(makeStudy(105, { rows: 128, columns: 128 }));
  const shown = async () => {
    const upload = await fixture.upload(study.uploadId);
    const { studies } = await presentUpload(fixture.db, { all: [], rules: [], choices: [] }, upload, {
      seesSenders: false,
    });
    return studies[0]?.instances;
  };
  // The first image, and two of the requests beside each other; the others are held back.
  const { stalled, go } = stallAt(4, 0);
  const delivery = fixture.deliverAll(deps(), study);
  await stalled;
  await until(async () => ((await shown())?.stored ?? 0) >= 40);
  expect(await shown()).toMatchObject({ total: 105, verified: 0 });
  expect(fixture.events).toContainEqual(
    expect.objectContaining({ uploadId: study.uploadId, status: 'delivering' }),
  );
  go();
  await delivery;
  expect(await shown()).toMatchObject({ total: 105, stored: 105, verified: 105 });
});

it('goes on after a killed worker without sending anything twice', async () => {
  const study = await fixture.addUpload(makeStudy(105, { rows: 256, columns: 256 }));
  const { studyId } = study;
  await fixture.takeJobs();
  // The first worker ends in the middle of several requests: nothing of it reaches PostgreSQL or Orthanc any more.
  const { stalled, go } = stallAt(4, 1_000_000);
  const first = fixture.deliver(deps(), studyId);
  await stalled;
  const { stored = 0, pending = 0 } = await statuses(study);
  expect([stored > 0, pending > 0]).toEqual([true, true]);
  await fixture
    .db('studies')
    .where({ id: studyId })
    .update({ claimedBy: newId(), claimExpiresAt: new Date(0) });
  proxy.cut();
  go();
  await first;
  expect(await fixture.study(studyId)).toMatchObject({ status: 'delivering' });
  await until(async () => (await countInOrthanc(study)) === proxy.sent().size);

  await fixture.deliver(deps(), studyId);
  expect(await fixture.upload(study.uploadId)).toMatchObject({ status: 'delivered' });
  expect(await statuses(study)).toEqual({ verified: 105 });
  expect(await digestsInOrthanc(study)).toEqual(digestsSent(study));
  expect(proxy.sent()).toEqual(onceEach(study));
});

it('keeps a study while Orthanc is away and delivers it when it is back', async () => {
  const study = await fixture.addUpload(makeStudy(65, { rows: 256, columns: 256 }), 'emergency');
  const { stalled, go } = stallAt(2, 1_000_000);
  const interrupted = fixture.deliverOnce(deps());
  await stalled;
  await orthanc.kill();
  go();
  await interrupted;
  expect(await fixture.study(study.studyId)).toMatchObject({
    status: 'delivering',
    waitingFor: 'pacs',
    problem: null,
    attempts: 1,
  });
  await fixture.deliverOnce(deps());
  const waiting = await fixture.study(study.studyId);
  expect(waiting).toMatchObject({ status: 'delivering', waitingFor: 'pacs', attempts: 2, claimedBy: null });
  expect(await fixture.upload(study.uploadId)).toMatchObject({ status: 'delivering' });

  await orthanc.start();
  expect(await fixture.deliverAll(deps(), study)).toMatchObject({ status: 'delivered' });
  expect(await fixture.study(study.studyId)).toMatchObject({ status: 'delivered', waitingFor: null });
  expect(await digestsInOrthanc(study)).toEqual(digestsSent(study));
});

it('does not send what the PACS holds already', async () => {
  const slices = makeStudy(30);
  const first = await fixture.addUpload(slices);
  await fixture.deliverAll(deps(), first);
  const again = await fixture.addUpload(slices);
  expect(await fixture.deliverAll(deps(), again)).toMatchObject({ status: 'delivered' });
  expect(proxy.sent()).toEqual(onceEach(first));
  expect((await fixture.instances(again.studyId)).map(({ sends, problem }) => [sends, problem])).toEqual(
    again.objects.map(() => [0, null]),
  );
});

it('reports another image under the same identifier, sends the others, and goes on once it is gone', async () => {
  const study = makeStudy(5);
  const [, , taken] = study.objects;
  const other = makeSlice({ ...study, sopInstanceUid: taken!.sopInstanceUid, instanceNumber: 99 });
  const foreign = { ...study, objects: [{ ...taken!, bytes: other }] };
  await fixture.deliverAll(deps(), await fixture.addUpload(foreign));

  const ours = await fixture.addUpload(study);
  const failed = await fixture.deliverAll(deps(), ours);
  expect(failed).toMatchObject({ status: 'failed', problem: { code: 'CONFLICT' } });
  expect(failed.problem?.detail).toMatch(/already holds a different image .*series 1 image 3\..*other 4 are/);
  expect(await statuses(ours)).toEqual({ verified: 4, failed: 1 });
  expect(proxy.sent().get(taken!.sopInstanceUid)).toBe(1);

  await fixture.retry(ours);
  expect(await fixture.deliverAll(deps(), ours)).toMatchObject({ status: 'failed' });
  await removeFromOrthanc(taken!.sopInstanceUid);
  await fixture.retry(ours);
  expect(await fixture.deliverAll(deps(), ours)).toMatchObject({ status: 'delivered', problem: null });
  expect(await digestsInOrthanc(ours)).toEqual(digestsSent(ours));
});

it('never sends damaged bytes, and delivers the images beside them', async () => {
  const study = await fixture.addUpload(makeStudy(12));
  const instances = await fixture.instances(study.studyId);
  const file = (index: number) => path.join(fixture.directory, instances[index]!.uploadFileId);
  const bytes = Buffer.from(study.objects[3]!.bytes);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 5) ^ 1, bytes.length - 5);
  await writeFile(file(3), bytes);
  await writeFile(file(5), bytes.subarray(0, 700));
  await rm(file(7));

  const upload = await fixture.deliverAll(deps(), study);
  expect(upload).toMatchObject({ status: 'failed', problem: { code: 'STORED_BYTES_DAMAGED' } });
  expect(upload.problem?.detail).toMatch(/image 4, series 1 image 6, series 1 image 8\./);
  expect(await statuses(study)).toEqual({ verified: 9, failed: 3 });
  const expected = digestsSent(study).map((digest, index) => ([3, 5, 7].includes(index) ? '' : digest));
  expect(await digestsInOrthanc(study)).toEqual(expected);
  expect(fixture.log.some(({ level, message }) => level === 'error' && /damaged/.test(message))).toBe(true);
});

it('finds the one image Orthanc cannot read among good ones', async () => {
  const slices = makeStudy(25);
  slices.objects[8] = { sopInstanceUid: newUid(), bytes: randomBytes(5000) };
  const study = await fixture.addUpload(slices);
  const upload = await fixture.deliverAll(deps(), study);
  expect(upload).toMatchObject({
    status: 'failed',
    problem: { title: '1 of 25 images could not be delivered' },
  });
  expect(await statuses(study)).toEqual({ verified: 24, failed: 1 });
  expect([...proxy.sent().values()].every((times) => times === 1)).toBe(true);
});

it('hands the study back when the worker stops, and the next one goes on', async () => {
  const study = await fixture.addUpload(makeStudy(105));
  await fixture.takeJobs();
  const stopping = new AbortController();
  const { stalled, go } = stallAt(2, 1);
  const delivery = fixture.deliver(deps({ stopping: stopping.signal }), study.studyId);
  await stalled;
  stopping.abort();
  go();
  await delivery;
  expect(await fixture.study(study.studyId)).toMatchObject({
    status: 'delivering',
    claimedBy: null,
    nextAttemptAt: null,
    waitingFor: null,
  });
  const { stored = 0, pending = 0 } = await statuses(study);
  expect([stored > 0, pending > 0]).toEqual([true, true]);

  expect(await fixture.deliverAll(deps(), study)).toMatchObject({ status: 'delivered' });
  expect(proxy.sent()).toEqual(onceEach(study));
});

it('delivers the same study from two uploads at once without sending anything twice', async () => {
  const slices = makeStudy(45);
  const [one, two] = [await fixture.addUpload(slices), await fixture.addUpload(slices)];
  const deliveries = new DeliveryDispatcher(deps(), 2);
  await until(async () => (await fixture.upload(two.uploadId)).status !== 'delivering');
  await until(async () => (await fixture.upload(one.uploadId)).status !== 'delivering');
  await deliveries.close();
  for (const { uploadId, studyId } of [one, two]) {
    expect(await fixture.upload(uploadId)).toMatchObject({ status: 'delivered' });
    expect(await fixture.study(studyId)).toMatchObject({ status: 'delivered' });
  }
  expect(proxy.sent()).toEqual(onceEach(one));
});
