import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildDicom, type DicomOptions } from '@relaypacs/core/dicom/testing/build.js';
import knexFactory from 'knex';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { TestSandbox } from '../sandbox/src/testing/sandbox-client.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../scripts/embedded-postgres.js';
import { knexConfig, migrate } from '../scripts/migrate.js';
import { DeliveryFixture, makeStudy, type TestObject, type TestStudy } from './support/delivery-fixture.js';
import { type Exchange, type Fault, FaultyPacs } from './support/faulty-pacs.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { RecordingProxy } from './support/recording-proxy.js';
import { tally } from './support/stow-recorder.js';

let directory: string;
let postgres: EmbeddedPostgres;
let orthanc: Orthanc;
let fixture: DeliveryFixture;
let proxy: RecordingProxy;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relaypacs verification-'));
  [postgres, orthanc] = await Promise.all([startEmbeddedPostgres({ dataDir: directory }), startOrthanc()]);
  await migrate(postgres.url);
  fixture = new DeliveryFixture(postgres.url, await mkdtemp(path.join(directory, 'storage-')));
});

beforeEach(async () => {
  fixture.log.length = 0;
  proxy = await RecordingProxy.start(orthanc.url);
  return () => proxy.close();
});

afterAll(async () => {
  await fixture?.close();
  await postgres?.stop();
  await orthanc?.dispose();
  await rm(directory, { recursive: true, force: true });
});

const byBytes = (share = 1) => ({ level: 'bytes' as const, share });
const toOrthanc = (share = 1) =>
  fixture.deps({
    url: proxy.url,
    auth: { mode: 'basic', username: orthanc.username, password: orthanc.password },
    verification: byBytes(share),
  });

async function withFaultyPacs(work: (pacs: FaultyPacs) => Promise<void>): Promise<void> {
  const pacs = await FaultyPacs.start();
  try {
    await work(pacs);
  } finally {
    await pacs.close();
  }
}

/** How many instances were verified how, and with which remark: `bytes`, `uids PACS_REWRITES`. */
async function verifications({ studyId }: TestStudy): Promise<Record<string, number>> {
  const words = (await fixture.instances(studyId)).map(({ status, verification, problem }) =>
    [status === 'verified' ? verification : status, problem?.code].filter(Boolean).join(' '),
  );
  return Object.fromEntries(tally(words));
}

const uidsOf = ({ objects }: TestStudy) => objects.map(({ sopInstanceUid }) => sopInstanceUid);

async function removeFromOrthanc(sopInstanceUid: string): Promise<void> {
  const query = { Level: 'Instance', Query: { SOPInstanceUID: sopInstanceUid } };
  const found = await orthanc.rest('/tools/find', { method: 'POST', body: JSON.stringify(query) });
  const [id] = (await found.json()) as string[];
  await orthanc.rest(`/instances/${id}`, { method: 'DELETE' });
}

it('verifies every image by what Orthanc hands out of it', async () => {
  const study = await fixture.addUpload(makeStudy(12));
  expect(await fixture.deliverAll(toOrthanc(), study)).toMatchObject({ status: 'delivered', problem: null });
  expect(await verifications(study)).toEqual({ bytes: 12 });
  expect([...proxy.retrieved].sort()).toEqual(uidsOf(study).sort());
});

it.each([
  [0.25, 3],
  [0, 1],
])(
  'compares a share of %d of ten images, and takes the word of Orthanc for the others',
  async (share, bytes) => {
    const study = await fixture.addUpload(makeStudy(10));
    await fixture.deliverAll(toOrthanc(share), study);
    expect(await verifications(study)).toEqual({ bytes, uids: 10 - bytes });
    expect(new Set(proxy.retrieved).size).toBe(bytes);
  },
);

it('retrieves nothing where the level is uids', async () => {
  const study = await fixture.addUpload(makeStudy(3));
  const deps = fixture.deps({ ...toOrthanc().config.pacs.all[0], verification: { level: 'uids', share: 1 } });
  await fixture.deliverAll(deps, study);
  expect(await verifications(study)).toEqual({ uids: 3 });
  expect(proxy.retrieved).toEqual([]);
});

it('counts images that were there already as compared, and retrieves them once', async () => {
  const slices = makeStudy(6);
  await fixture.deliverAll(toOrthanc(), await fixture.addUpload(slices));
  proxy.retrieved.length = 0;
  const again = await fixture.addUpload(slices);
  await fixture.deliverAll(toOrthanc(), again);
  expect(await verifications(again)).toEqual({ bytes: 6 });
  expect([...proxy.retrieved].sort()).toEqual(uidsOf(again).sort());
  expect(proxy.sent().size).toBe(6);
});

it('fails loudly when the PACS hands out other contents than were sent, until they are gone', async () => {
  const study = await fixture.addUpload(makeStudy(6));
  const tampered = uidsOf(study)[2]!;
  proxy.alterRetrieved = (uid, body) => {
    // The last pixel, before the delimiter that ends the part.
    const at = body.lastIndexOf('\r\n--') - 1;
    if (uid === tampered) body.writeUInt8(body.readUInt8(at) ^ 1, at);
  };
  const failed = await fixture.deliverAll(toOrthanc(), study);
  expect(failed).toMatchObject({ status: 'failed', problem: { code: 'PACS_ALTERED' } });
  expect(failed.problem?.detail).toMatch(
    /not what was sent to it.*kept safely here.*press Retry.*Not delivered: series 1 image 3\. The other 5 are/,
  );
  expect(await verifications(study)).toEqual({ bytes: 5, 'failed PACS_ALTERED': 1 });
  expect(fixture.log.filter(({ level }) => level === 'error')).not.toEqual([]);

  await fixture.retry(study);
  expect(await fixture.deliverAll(toOrthanc(), study)).toMatchObject({ problem: { code: 'PACS_ALTERED' } });
  expect(proxy.sent().get(tampered)).toBe(1);

  proxy.alterRetrieved = () => {};
  await removeFromOrthanc(tampered);
  await fixture.retry(study);
  expect(await fixture.deliverAll(toOrthanc(), study)).toMatchObject({ status: 'delivered', problem: null });
  expect(await verifications(study)).toEqual({ bytes: 6 });
});

it('counts the data set alone: a PACS that writes only the file meta information anew holds what was sent', async () => {
  const sandbox = await TestSandbox.start({ personality: 'dcm4chee' });
  try {
    const study = await fixture.addUpload(makeStudy(4));
    await fixture.deliverAll(fixture.deps({ url: sandbox.url, verification: byBytes() }), study);
    expect(await verifications(study)).toEqual({ bytes: 4 });
  } finally {
    await sandbox.stop();
  }
});

it('does not claim to have compared what the PACS rewrites or stores in another way, and says so', async () => {
  await withFaultyPacs(async (pacs) => {
    const study = await fixture.addUpload(makeStudy(4));
    const [renamed, , , recoded] = study.objects;
    const coerced: DicomOptions = { patientName: 'Corrected^Name', meta: { sopClassUid: '1.2.3' } };
    const implicit: DicomOptions = { transferSyntaxUid: '1.2.840.10008.1.2' };
    pacs.handOut = (bytes) => {
      const written = (object: TestObject, options: DicomOptions) =>
        buildDicom({ ...options, ...study, sopInstanceUid: object.sopInstanceUid });
      if (bytes.includes(renamed!.sopInstanceUid))
        return written(renamed!, { ...coerced, instanceNumber: 1 });
      return bytes.includes(recoded!.sopInstanceUid) ? written(recoded!, implicit) : bytes;
    };
    const upload = await fixture.deliverAll(fixture.deps({ url: pacs.url, verification: byBytes() }), study);
    expect(upload).toMatchObject({ status: 'delivered' });
    expect(await verifications(study)).toEqual({
      bytes: 2,
      'uids PACS_REWRITES': 1,
      'uids PACS_NOT_COMPARABLE': 1,
    });
  });
});

/** Answers in place of the PACS when this instance is retrieved. */
const whenRetrieved =
  (uid: string, answer: (exchange: Exchange) => void): Fault =>
  (exchange) => {
    if (exchange.kind !== 'retrieve' || !exchange.request.url?.endsWith(uid)) return false;
    answer(exchange);
    return true;
  };

const status =
  (code: number) =>
  ({ response }: Exchange) => {
    response.writeHead(code).end();
  };

it.each<[string, (exchange: Exchange) => void]>([
  ['404', status(404)],
  ['410', status(410)],
  ['500', status(500)],
  [
    'an answer that ends in the middle',
    ({ response }) => {
      response.writeHead(200, { 'Content-Type': 'multipart/related; boundary=b' });
      response.end('--b\r\n\r\nDICM');
    },
  ],
])('fails loudly when the PACS lists an image and does not hand it out: %s', async (_, answer) => {
  await withFaultyPacs(async (pacs) => {
    const study = await fixture.addUpload(makeStudy(3));
    const [withheld = ''] = uidsOf(study);
    let asked = 0;
    pacs.fault = whenRetrieved(withheld, (exchange) => {
      asked += 1;
      answer(exchange);
    });
    const deps = fixture.deps({ url: pacs.url, verification: byBytes() });
    const failed = await fixture.deliverAll(deps, study);
    expect(failed).toMatchObject({ status: 'failed', problem: { code: 'PACS_NOT_HANDED_OUT' } });
    expect(failed.problem?.detail).toMatch(/lists the image, but does not hand it out.*press Retry/);
    expect(await verifications(study)).toEqual({ bytes: 2, 'failed PACS_NOT_HANDED_OUT': 1 });
    // It was given time.
    expect(asked).toBe(4);

    // Asked again, it is no more proven than before; and nothing is sent twice.
    await fixture.retry(study);
    expect(await fixture.deliverAll(deps, study)).toMatchObject({
      problem: { code: 'PACS_NOT_HANDED_OUT' },
    });
    pacs.fault = () => false;
    await fixture.retry(study);
    expect(await fixture.deliverAll(deps, study)).toMatchObject({ status: 'delivered' });
    expect(await verifications(study)).toEqual({ bytes: 3 });
    expect(pacs.arrived).toHaveLength(3);
  });
});

it('gives a PACS a moment to hand out what it lists', async () => {
  await withFaultyPacs(async (pacs) => {
    const study = await fixture.addUpload(makeStudy(3));
    pacs.fault = ({ kind, nth, response }) => {
      if (kind !== 'retrieve' || nth > 3) return false;
      response.writeHead(404).end();
      return true;
    };
    await fixture.deliverAll(fixture.deps({ url: pacs.url, verification: byBytes() }), study);
    expect(await verifications(study)).toEqual({ bytes: 3 });
  });
});

it.each([
  ['an empty answer', () => new Uint8Array()],
  ['a web page', () => Buffer.from('<!doctype html><title>Please sign in</title>')],
  [
    'half of an image whose file header was written anew',
    (bytes: Buffer) => {
      const half = Buffer.from(bytes.subarray(0, -4000));
      half.write('1.2.3', half.indexOf(Buffer.from([2, 0, 0x12, 0])) + 8);
      return half;
    },
  ],
])('takes %s for something else than was sent', async (_, handOut) => {
  await withFaultyPacs(async (pacs) => {
    const study = await fixture.addUpload(makeStudy(2));
    pacs.handOut = handOut;
    const upload = await fixture.deliverAll(fixture.deps({ url: pacs.url, verification: byBytes() }), study);
    expect(upload).toMatchObject({ status: 'failed', problem: { code: 'PACS_ALTERED' } });
    expect(await verifications(study)).toEqual({ 'failed PACS_ALTERED': 2 });
  });
});

it.each([
  [401, 'PACS_ACCESS_DENIED'],
  [403, 'PACS_ACCESS_DENIED'],
  [406, 'PACS_MISCONFIGURED'],
])('waits for somebody to put right that nothing may be retrieved (%i)', async (code, problem) => {
  await withFaultyPacs(async (pacs) => {
    const study = await fixture.addUpload(makeStudy(2));
    pacs.fault = whenRetrieved('', status(code));
    const deps = fixture.deps({ url: pacs.url, verification: byBytes() });
    await fixture.deliverOnce(deps);
    expect(await fixture.study(study.studyId)).toMatchObject({
      status: 'delivering',
      waitingFor: 'pacs',
      problem: { code: problem },
    });
    pacs.fault = () => false;
    expect(await fixture.deliverAll(deps, study)).toMatchObject({ status: 'delivered' });
    expect(await verifications(study)).toEqual({ bytes: 2 });
  });
});

it('takes what was there before and is not handed out for held, as ever, but no damaged one', async () => {
  await withFaultyPacs(async (pacs) => {
    const study = await fixture.addUpload(makeStudy(3));
    const [withheld, refused, damaged] = study.objects;
    for (const { sopInstanceUid, bytes } of study.objects) {
      pacs.hold({ sopInstanceUid, bytes: Buffer.from(bytes) });
    }
    pacs.objects.set(damaged!.sopInstanceUid, Buffer.from(damaged!.bytes.subarray(0, -100)));
    pacs.fault = ({ kind, request, response }) => {
      const code = request.url?.endsWith(withheld!.sopInstanceUid) ? 404 : 403;
      if (kind !== 'retrieve' || request.url?.endsWith(damaged!.sopInstanceUid)) return false;
      response.writeHead(code).end();
      return true;
    };
    expect(refused).toBeDefined();
    await fixture.deliverAll(fixture.deps({ url: pacs.url, verification: byBytes() }), study);
    expect(await verifications(study)).toEqual({ 'uids HELD_NOT_COMPARED': 2, 'failed CONFLICT': 1 });
    expect(pacs.arrived).toEqual([]);
  });
});

it('waits for an archive that indexes later, and sends it nothing twice', async () => {
  await withFaultyPacs(async (pacs) => {
    const study = await fixture.addUpload(makeStudy(5));
    let indexedAt = Number.POSITIVE_INFINITY;
    pacs.fault = ({ kind, response }) => {
      if (kind === 'stow') indexedAt = Math.min(indexedAt, Date.now() + 1200);
      if (kind !== 'query' || Date.now() > indexedAt) return false;
      response.writeHead(204).end();
      return true;
    };
    const deps = fixture.deps({ url: pacs.url }, { indexPatienceMs: 6000 });
    await fixture.deliverOnce(deps);
    const putOff = await fixture.study(study.studyId);
    expect(putOff).toMatchObject({ status: 'delivering', waitingFor: null, problem: null, claimedBy: null });
    expect(putOff.nextAttemptAt!.getTime()).toBeGreaterThan(Date.now() + 300);
    expect(await fixture.deliverAll(deps, study)).toMatchObject({ status: 'delivered' });
    expect(await verifications(study)).toEqual({ uids: 5 });
    expect(pacs.arrived).toHaveLength(5);
  });
});

it('sends again only when the patience with the index is over, and then gives up', async () => {
  await withFaultyPacs(async (pacs) => {
    const study = await fixture.addUpload(makeStudy(1));
    const sentAt: number[] = [];
    pacs.fault = ({ kind, response }) => {
      if (kind === 'stow') sentAt.push(Date.now());
      if (kind === 'query') response.writeHead(204).end();
      return kind === 'query';
    };
    const deps = fixture.deps({ url: pacs.url }, { indexPatienceMs: 1500 });
    expect(await fixture.deliverAll(deps, study)).toMatchObject({ problem: { code: 'PACS_NOT_CONFIRMED' } });
    expect(sentAt).toHaveLength(3);
    expect(sentAt[1]! - sentAt[0]!).toBeGreaterThan(1400);
    expect(sentAt[2]! - sentAt[1]!).toBeLessThan(1400);
  });
});

it('does not blame the PACS when it is the copy kept here that was damaged meanwhile', async () => {
  await withFaultyPacs(async (pacs) => {
    const study = await fixture.addUpload(makeStudy(1));
    const [instance] = await fixture.instances(study.studyId);
    pacs.handOut = (bytes) => {
      const rewritten = Buffer.from(bytes);
      rewritten.write('NEW', 100);
      return rewritten;
    };
    pacs.fault = async ({ kind }) => {
      if (kind !== 'retrieve') return false;
      const damaged = Buffer.from(study.objects[0]!.bytes);
      damaged.write('damaged', damaged.length - 10);
      await writeFile(path.join(fixture.directory, instance!.uploadFileId), damaged);
      return false;
    };
    await fixture.deliverAll(fixture.deps({ url: pacs.url, verification: byBytes() }), study);
    expect(await verifications(study)).toEqual({ 'uids PACS_NOT_COMPARABLE': 1 });
    expect(fixture.log).toContainEqual(expect.objectContaining({ level: 'error', comparison: 'damaged' }));
  });
});

it('waits for a PACS that goes away while it is compared, and compares nothing twice', async () => {
  await withFaultyPacs(async (pacs) => {
    const study = await fixture.addUpload(makeStudy(9));
    const retrieved: string[] = [];
    pacs.fault = ({ kind, nth, request, response }) => {
      if (kind !== 'retrieve') return false;
      const uid = request.url?.split('/').at(-1) ?? '';
      if (nth > 5 && nth <= 7) response.writeHead(nth === 6 ? 502 : 504).end();
      else if (nth === 8) request.socket.destroy();
      else retrieved.push(uid);
      return nth > 5 && nth <= 8;
    };
    const deps = fixture.deps({ url: pacs.url, verification: byBytes() });
    await fixture.deliverOnce(deps);
    expect(await fixture.study(study.studyId)).toMatchObject({ status: 'delivering', waitingFor: 'pacs' });
    const { bytes = 0 } = await verifications(study);
    expect(bytes).toBeGreaterThan(0);
    expect(await fixture.deliverAll(deps, study)).toMatchObject({ status: 'delivered' });
    expect(await verifications(study)).toEqual({ bytes: 9 });
    expect([...tally(retrieved).values()]).toEqual(Array.from({ length: 9 }, () => 1));
    expect(tally(pacs.arrived).size).toBe(pacs.arrived.length);
  });
});

it('sends again what the PACS lost, and names every image that is missing after that', async () => {
  const sandbox = await TestSandbox.start();
  try {
    const study = await fixture.addUpload(makeStudy(30));
    const [once, ...others] = uidsOf(study);
    const lost = others.slice(0, 14);
    await sandbox.putFaults(
      { kind: 'forgets', on: 'stow', sopInstanceUids: lost },
      { kind: 'forgets', on: 'stow', sopInstanceUids: [once!], times: 1 },
    );
    const upload = await fixture.deliverAll(
      fixture.deps({ url: sandbox.url, verification: byBytes() }),
      study,
    );
    expect(upload).toMatchObject({ status: 'failed', problem: { code: 'PACS_NOT_CONFIRMED' } });
    expect(upload.problem?.detail).toMatch(/series 1 image 2, .* and 4 more\. The other 16 are/);
    expect(await verifications(study)).toEqual({ bytes: 16, 'failed PACS_NOT_CONFIRMED': 14 });
    const sends = (await fixture.instances(study.studyId)).map(({ sends }) => sends);
    expect(sends.slice(0, 15)).toEqual([2, ...lost.map(() => 3)]);
    expect(sends.slice(15)).toEqual(sends.slice(15).map(() => 1));
  } finally {
    await sandbox.stop();
  }
});

it('takes what was verified before levels were recorded for listed', async () => {
  const study = await fixture.addUpload(makeStudy(2));
  await fixture.deliverAll(toOrthanc(), study);
  const waiting = await fixture.addUpload(makeStudy(1));
  const knex = knexFactory(knexConfig(postgres.url));
  try {
    await knex.migrate.down({ name: '202611270300_verification.ts' });
    await migrate(postgres.url);
  } finally {
    await knex.destroy();
  }
  expect(await verifications(study)).toEqual({ uids: 2 });
  expect((await fixture.instances(waiting.studyId))[0]).toMatchObject({ verification: null });
});
