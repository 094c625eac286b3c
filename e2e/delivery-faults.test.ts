import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_TARGET } from '@relaypacs/core/config-targets.js';
import { recordLoneBreak } from '@relaypacs/core/db/instances.js';
import { listCircuits } from '@relaypacs/core/db/pacs-circuits.js';
import { makeSlice } from '@relaypacs/core/dicom/testing/build.js';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../scripts/embedded-postgres.js';
import { migrate } from '../scripts/migrate.js';
import { RENEW_MS, RowClaim } from '../worker/src/row-claim.js';
import { DeliveryFixture, makeStudy, type TestStudy } from './support/delivery-fixture.js';
import { type Exchange, FaultyPacs, stowAnswer } from './support/faulty-pacs.js';
import { tally } from './support/stow-recorder.js';

let directory: string;
let postgres: EmbeddedPostgres;
let fixture: DeliveryFixture;
let pacs: FaultyPacs;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relaypacs faults-'));
  postgres = await startEmbeddedPostgres({ dataDir: directory });
  await migrate(postgres.url);
  fixture = new DeliveryFixture(postgres.url, await mkdtemp(path.join(directory, 'storage-')));
});

beforeEach(async () => {
  fixture.log.length = 0;
  await fixture.takeJobs();
  await fixture.db('pacsCircuits').delete();
  pacs = await FaultyPacs.start();
  return () => pacs.close();
});

afterAll(async () => {
  await fixture?.close();
  await postgres?.stop();
  await rm(directory, { recursive: true, force: true });
});

const deps = () => fixture.deps({ url: pacs.url });
const deliver = (study: TestStudy) => fixture.deliverAll(deps(), study);
const uidOf = (study: TestStudy, index: number) => study.objects[index]!.sopInstanceUid;
const onceEach = (study: TestStudy) =>
  new Map(study.objects.map(({ sopInstanceUid }) => [sopInstanceUid, 1]));

async function statuses({ studyId }: TestStudy): Promise<Record<string, number>> {
  return Object.fromEntries(tally((await fixture.instances(studyId)).map(({ status }) => status)));
}

/** Runs the delivery once and returns the study as it then is. */
async function deliverOnce({ studyId }: TestStudy) {
  await fixture.deliverOnce(deps());
  return fixture.study(studyId);
}

/** As {@link deliverOnce}, without the wait before it. */
async function deliverAtOnce(study: TestStudy) {
  await fixture.db('studies').where({ id: study.studyId }).update({ nextAttemptAt: null });
  return deliverOnce(study);
}

/** The first STOW-RS request meets the fault, the following ones do not. */
function firstStow(fault: (exchange: Exchange) => Promise<void> | void): void {
  pacs.fault = async (exchange) => {
    if (exchange.kind !== 'stow' || exchange.nth > 1) return false;
    await fault(exchange);
    return true;
  };
}

it('waits and goes on after a connection that broke in the middle of a request', async () => {
  const study = await fixture.addUpload(makeStudy(25, { rows: 256, columns: 256 }));
  pacs.fault = async ({ kind, nth, request }) => {
    if (kind !== 'stow' || nth > 2) return false;
    await once(request, 'data');
    request.socket.destroy();
    return true;
  };
  expect(await deliverOnce(study)).toMatchObject({ status: 'delivering', waitingFor: 'pacs', problem: null });
  expect(await deliver(study)).toMatchObject({ status: 'delivered' });
  expect(tally(pacs.stored)).toEqual(onceEach(study));
});

it('does not send again what was stored when the answer was lost', async () => {
  const study = await fixture.addUpload(makeStudy(25));
  firstStow(async ({ request }) => {
    await pacs.takeIn(request);
    request.socket.destroy();
  });
  expect(await deliver(study)).toMatchObject({ status: 'delivered' });
  expect(tally(pacs.arrived)).toEqual(onceEach(study));
});

it('does not take the image of another sender for its own because it had begun to send', async () => {
  const study = await fixture.addUpload(makeStudy(3));
  const [own, other] = [study.objects[0]!, study.objects[1]!];
  // Not one byte of it is read, and yet it counts as sent.
  pacs.fault = ({ kind, request }) => {
    if (kind === 'stow') request.socket.destroy();
    return kind === 'stow';
  };
  expect(await deliverOnce(study)).toMatchObject({ status: 'delivering', waitingFor: 'pacs' });
  expect((await fixture.instances(study.studyId)).every(({ sends }) => sends > 0)).toBe(true);
  pacs.fault = () => false;
  pacs.hold({ sopInstanceUid: own.sopInstanceUid, bytes: Buffer.from(own.bytes) });
  const foreign = makeSlice({ ...study, sopInstanceUid: other.sopInstanceUid, instanceNumber: 77 });
  pacs.hold({ sopInstanceUid: other.sopInstanceUid, bytes: Buffer.from(foreign) });
  expect(await deliver(study)).toMatchObject({ status: 'failed', problem: { code: 'CONFLICT' } });
  expect(await statuses(study)).toEqual({ verified: 2, failed: 1 });
  expect(pacs.arrived).toEqual([uidOf(study, 2)]);
});

it('waits as long as a busy PACS asks', async () => {
  const study = await fixture.addUpload(makeStudy(3));
  firstStow(({ response }) => {
    response.writeHead(503, { 'Retry-After': '7' }).end();
  });
  const before = Date.now();
  const waiting = await deliverOnce(study);
  expect(waiting).toMatchObject({ status: 'delivering', waitingFor: 'pacs', problem: null, claimedBy: null });
  const [circuit] = await listCircuits(fixture.db, [DEFAULT_TARGET]);
  expect(circuit).toMatchObject({ state: 'open', kind: 'busy' });
  expect(circuit!.nextProbeAt.getTime() - before).toBeGreaterThanOrEqual(7000);
  expect((await fixture.takeJobs()).map(({ jobId }) => jobId)).toEqual([`delivery-${study.studyId}-1`]);
});

it('waits for an operator when the PACS denies access before it reads the request', async () => {
  const study = await fixture.addUpload(makeStudy(3, { rows: 2048, columns: 2048 }));
  firstStow(({ response }) => {
    response.writeHead(401).end('Sign in');
  });
  expect(await deliverOnce(study)).toMatchObject({
    status: 'delivering',
    waitingFor: 'pacs',
    problem: { code: 'PACS_ACCESS_DENIED' },
  });
  expect(fixture.log.some(({ level, kind }) => level === 'error' && kind === 'denied')).toBe(true);
  expect(await deliver(study)).toMatchObject({ status: 'delivered' });
  expect(await fixture.study(study.studyId)).toMatchObject({ waitingFor: null, problem: null });
});

it('goes on at once when the access token runs out in the middle, and asks before it sends again', async () => {
  const study = await fixture.addUpload(makeStudy(45, { rows: 256, columns: 256 }));
  const given: string[] = [];
  const endpoint = createServer((request, response) => {
    request.resume();
    given.push(`token-${given.length + 1}`);
    response.end(JSON.stringify({ access_token: given.at(-1), token_type: 'Bearer', expires_in: 300 }));
  }).listen(0, '127.0.0.1');
  await once(endpoint, 'listening');
  const refused: string[] = [];
  let over = false;
  pacs.fault = async ({ kind, nth, request, response }) => {
    over ||= kind === 'stow' && nth === 2;
    if (!over || request.headers.authorization !== 'Bearer token-1') return false;
    refused.push(kind);
    // The first one was stored by a PACS that looked at the token too late.
    if (kind === 'stow' && nth === 2) await pacs.takeIn(request);
    response.writeHead(401).end();
    return true;
  };
  const tokenUrl = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/token`;
  const client = { clientId: 'relay', clientSecret: 'hunter2', scope: undefined, audience: undefined };
  try {
    await fixture.deliverOnce(fixture.deps({ url: pacs.url, auth: { mode: 'oidc', tokenUrl, ...client } }));
  } finally {
    endpoint.close();
  }
  expect(await fixture.study(study.studyId)).toMatchObject({ status: 'delivered', problem: null });
  expect(refused).toContain('stow');
  expect(given).toEqual(['token-1', 'token-2']);
  expect(tally(pacs.stored)).toEqual(onceEach(study));
  expect(JSON.stringify(fixture.log)).not.toMatch(/hunter2|token-\d/);
});

it('waits long before it asks a PACS again that fell silent', async () => {
  const study = await fixture.addUpload(makeStudy(3));
  pacs.fault = ({ kind }) => kind === 'stow';
  const before = Date.now();
  await fixture.deliverOnce(fixture.deps({ url: pacs.url, timeoutMs: 300 }));
  const waiting = await fixture.study(study.studyId);
  expect(waiting).toMatchObject({ status: 'delivering', waitingFor: 'pacs' });
  expect(waiting.nextAttemptAt!.getTime() - before).toBeGreaterThanOrEqual(30_000);
});

it('delivers the others when some are refused for good, and says which and why', async () => {
  const study = await fixture.addUpload(makeStudy(25));
  pacs.refuse = ({ sopInstanceUid }) => (sopInstanceUid === uidOf(study, 4) ? 42871 : undefined);
  const upload = await deliver(study);
  expect(upload).toMatchObject({ status: 'failed', problem: { code: 'PACS_PATIENT_ID_MISSING' } });
  expect(upload.problem?.detail).toMatch(/series 1 image 5\. The other 24 are confirmed/);
  expect(await statuses(study)).toEqual({ verified: 24, failed: 1 });
  expect(tally(pacs.arrived)).toEqual(onceEach(study));

  pacs.refuse = () => undefined;
  await fixture.retry(study);
  expect(await deliver(study)).toMatchObject({ status: 'delivered', problem: null });
  expect(tally(pacs.arrived)).toEqual(onceEach(study).set(uidOf(study, 4), 2));
});

it('waits when the PACS is out of space and sends only what it did not take', async () => {
  const study = await fixture.addUpload(makeStudy(5));
  let full = true;
  pacs.refuse = ({ sopInstanceUid }) => (full && sopInstanceUid === uidOf(study, 2) ? 42752 : undefined);
  expect(await deliverOnce(study)).toMatchObject({ status: 'delivering', waitingFor: 'pacs' });
  expect(await statuses(study)).toEqual({ stored: 4, pending: 1 });
  full = false;
  expect(await deliver(study)).toMatchObject({ status: 'delivered' });
  expect(tally(pacs.stored)).toEqual(onceEach(study));
});

it('finds the refused one by halves when the PACS names it by a UID of its own', async () => {
  const study = await fixture.addUpload(makeStudy(20));
  const bad = uidOf(study, 13);
  // All or nothing, as an archive that cannot tell the parts apart.
  pacs.fault = async ({ kind, request, response }) => {
    if (kind !== 'stow') return false;
    pacs.refuse = () => 272;
    const parts = await pacs.takeIn(request);
    pacs.refuse = () => undefined;
    const uids = parts.map(({ sopInstanceUid }) => sopInstanceUid!);
    if (uids.includes(bad)) {
      const invented = {
        '00081155': { vr: 'UI', Value: ['2.25.1'] },
        '00081197': { vr: 'US', Value: [49152] },
      };
      response.writeHead(409).end(stowAnswer([], [invented]));
      return true;
    }
    for (const part of parts) pacs.hold(part);
    response.end(
      stowAnswer(
        uids.map((uid) => ({ '00081155': { vr: 'UI', Value: [uid] } })),
        [],
      ),
    );
    return true;
  };
  const upload = await deliver(study);
  expect(upload).toMatchObject({ status: 'failed', problem: { code: 'PACS_INVALID_IMAGE' } });
  expect(await statuses(study)).toEqual({ verified: 19, failed: 1 });
  expect((await fixture.instances(study.studyId))[13]!.status).toBe('failed');
  expect(pacs.stored).toHaveLength(19);
});

it('says loudly that the PACS does not show what it said it stored, after three rounds', async () => {
  const study = await fixture.addUpload(makeStudy(4));
  pacs.fault = async ({ kind, request, response }) => {
    if (kind !== 'stow') return false;
    const parts = await pacs.takeIn(request);
    pacs.objects.delete(uidOf(study, 1));
    const items = parts.map(({ sopInstanceUid }) => ({ '00081155': { vr: 'UI', Value: [sopInstanceUid] } }));
    response.end(stowAnswer(items, []));
    return true;
  };
  const upload = await deliver(study);
  expect(upload).toMatchObject({ status: 'failed', problem: { code: 'PACS_NOT_CONFIRMED' } });
  expect(upload.problem?.detail).toMatch(/Not delivered: series 1 image 2\./);
  expect(tally(pacs.arrived)).toEqual(onceEach(study).set(uidOf(study, 1), 3));
});

it('does not send again what a PACS is only slow to show', async () => {
  const study = await fixture.addUpload(makeStudy(4));
  pacs.fault = ({ kind, nth, response }) => {
    if (kind !== 'query' || nth > 3) return false;
    response.writeHead(204).end();
    return true;
  };
  expect(await deliver(study)).toMatchObject({ status: 'delivered' });
  expect(tally(pacs.arrived)).toEqual(onceEach(study));
});

it('asks for what the answer does not name before it sends it again', async () => {
  const study = await fixture.addUpload(makeStudy(6));
  firstStow(async ({ request, response }) => {
    await pacs.takeIn(request);
    pacs.objects.delete(uidOf(study, 0));
    response.end('{}');
  });
  expect(await deliver(study)).toMatchObject({ status: 'delivered' });
  expect(tally(pacs.arrived)).toEqual(onceEach(study).set(uidOf(study, 0), 2));
});

it('checks the contents when the PACS calls an instance a duplicate', async () => {
  const study = await fixture.addUpload(makeStudy(2));
  const other = makeSlice({ ...study, sopInstanceUid: uidOf(study, 1), instanceNumber: 77 });
  pacs.hold({ sopInstanceUid: uidOf(study, 0), bytes: Buffer.from(study.objects[0]!.bytes) });
  pacs.hold({ sopInstanceUid: uidOf(study, 1), bytes: Buffer.from(other) });
  pacs.refuse = ({ bytes }) => (bytes ? 45070 : undefined);
  // The first look comes too early to show them.
  pacs.fault = ({ kind, nth, response }) => {
    if (kind !== 'query' || nth > 1) return false;
    response.end('[]');
    return true;
  };
  expect(await deliver(study)).toMatchObject({ status: 'failed', problem: { code: 'CONFLICT' } });
  expect(await statuses(study)).toEqual({ verified: 1, failed: 1 });
  await fixture.retry(study);
  expect(await deliver(study)).toMatchObject({ status: 'failed', problem: { code: 'CONFLICT' } });
});

it('accepts, with a remark, an image that the PACS held and wrote anew', async () => {
  const slices = makeStudy(2);
  await deliver(await fixture.addUpload(slices));
  pacs.handOut = (bytes) => {
    const anew = Buffer.from(bytes);
    anew[anew.indexOf('2.25.281474976710655')] = '1'.charCodeAt(0); // Implementation Class UID
    anew[anew.indexOf('Test Clinic')] = 'B'.charCodeAt(0);
    return anew;
  };
  const again = await fixture.addUpload(slices);
  expect(await deliver(again)).toMatchObject({ status: 'delivered' });
  const remarks = (await fixture.instances(again.studyId)).map(({ status, problem }) => [
    status,
    problem?.code,
  ]);
  expect(remarks).toEqual([
    ['verified', 'HELD_NOT_COMPARED'],
    ['verified', 'HELD_NOT_COMPARED'],
  ]);
  expect(tally(pacs.arrived)).toEqual(onceEach(again));
});

it('keeps the others going when one image breaks the PACS each time, and gives up on it at last', async () => {
  const study = await fixture.addUpload(makeStudy(25));
  const poison = uidOf(study, 0);
  pacs.fault = async ({ kind, request, response }) => {
    if (kind !== 'stow') return false;
    const parts = await pacs.takeIn(request);
    if (!parts.some(({ sopInstanceUid }) => sopInstanceUid === poison)) {
      const items = parts.map(({ sopInstanceUid }) => ({
        '00081155': { vr: 'UI', Value: [sopInstanceUid] },
      }));
      response.end(stowAnswer(items, []));
      return true;
    }
    for (const { sopInstanceUid } of parts) pacs.objects.delete(sopInstanceUid!);
    response.writeHead(500, { 'Content-Type': 'text/plain' }).end('java.lang.OutOfMemoryError');
    return true;
  };
  for (let attempt = 1; attempt <= 30; attempt += 1) {
    expect(await deliverAtOnce(study)).toMatchObject({ status: 'delivering', waitingFor: 'pacs' });
  }
  expect(await statuses(study)).toMatchObject({ pending: 1, stored: 24 });
  // The PACS stores other studies all the while: it is this image.
  let last = await fixture.study(study.studyId);
  for (let other = 0; other < 10 && last.status === 'delivering'; other += 1) {
    const [job] = await fixture.takeJobs();
    await deliver(await fixture.addUpload(makeStudy(1)));
    await fixture.transact(async (unit) => unit.enqueue(job!));
    last = await deliverAtOnce(study);
  }
  expect(last).toMatchObject({ status: 'failed', problem: { code: 'PACS_BREAKS_DOWN' } });
  expect(await statuses(study)).toEqual({ verified: 24, failed: 1 });

  await fixture.retry(study);
  expect(await deliverOnce(study)).toMatchObject({ status: 'delivering', waitingFor: 'pacs' });
  pacs.fault = () => false;
  expect(await deliverAtOnce(study)).toMatchObject({ status: 'delivered', problem: null });
});

it.each([
  ['answers every store with 500', 1],
  ['breaks every connection', 3],
])('never blames the images of a PACS that %s', async (what, count) => {
  const study = await fixture.addUpload(makeStudy(count));
  pacs.fault = ({ kind, request, response }) => {
    if (kind !== 'stow') return false;
    if (what.endsWith('500')) response.writeHead(500).end('No space left on device');
    else request.socket.destroy();
    return true;
  };
  for (let attempt = 1; attempt <= 45; attempt += 1) {
    expect(await deliverAtOnce(study)).toMatchObject({ status: 'delivering', waitingFor: 'pacs' });
  }
  expect(Math.max(...(await fixture.instances(study.studyId)).map(({ sends }) => sends))).toBeGreaterThan(20);
  pacs.fault = () => false;
  expect(await deliverAtOnce(study)).toMatchObject({ status: 'delivered' });
});

it('waits until a PACS is configured', async () => {
  const study = await fixture.addUpload(makeStudy(1));
  await fixture.deliverOnce(fixture.deps(undefined));
  expect(await fixture.study(study.studyId)).toMatchObject({
    status: 'delivering',
    waitingFor: 'pacs',
    problem: { code: 'PACS_NOT_CONFIGURED' },
  });
  expect(await deliver(study)).toMatchObject({ status: 'delivered' });
});

it('settles an upload of two studies only when both have ended', async () => {
  const good = await fixture.addUpload(makeStudy(2));
  const bad = await fixture.addUpload(makeStudy(2));
  await fixture.db('studies').where({ id: bad.studyId }).update({ uploadId: good.uploadId });
  pacs.refuse = ({ sopInstanceUid }) => (sopInstanceUid === uidOf(bad, 0) ? 290 : undefined);
  const [goodJob, badJob] = await fixture.takeJobs();
  expect([goodJob?.payload, badJob?.payload]).toEqual([{ studyId: good.studyId }, { studyId: bad.studyId }]);
  await fixture.transact(async (unit) => unit.enqueue(goodJob!));
  await fixture.deliverOnce(deps());
  expect(await fixture.study(good.studyId)).toMatchObject({ status: 'delivered' });
  expect(await fixture.upload(good.uploadId)).toMatchObject({ status: 'delivering' });
  await fixture.transact(async (unit) => unit.enqueue(badJob!));
  await fixture.deliverOnce(deps());
  expect(await fixture.upload(good.uploadId)).toMatchObject({
    status: 'failed',
    problem: { code: 'PACS_UNSUPPORTED_IMAGE', title: '1 of 2 studies could not be delivered completely' },
  });
});

it('leaves a study alone that another worker holds, and takes it when that claim has run out', async () => {
  const study = await fixture.addUpload(makeStudy(2));
  const claimed = { claimedBy: study.uploadId, claimExpiresAt: new Date(Date.now() + 60_000) };
  await fixture.db('studies').where({ id: study.studyId }).update(claimed);
  const [job] = await fixture.takeJobs();
  const enqueue = () => fixture.transact(async (unit) => unit.enqueue(job!));
  await enqueue();
  expect(await deliverOnce(study)).toMatchObject({ status: 'pending', attempts: 0 });
  await fixture
    .db('studies')
    .where({ id: study.studyId })
    .update({ claimExpiresAt: new Date(0) });
  await enqueue();
  expect(await deliverOnce(study)).toMatchObject({ status: 'delivered', attempts: 1 });
});

it('keeps its claim through a long request', async () => {
  const study = await fixture.addUpload(makeStudy(1));
  firstStow(async ({ request, response }) => {
    await pacs.takeIn(request);
    const first = await fixture.study(study.studyId);
    for (let now = first; now.claimExpiresAt!.getTime() === first.claimExpiresAt!.getTime(); ) {
      await sleep(100);
      now = await fixture.study(study.studyId);
    }
    response.end(stowAnswer([{ '00081155': { vr: 'UI', Value: [uidOf(study, 0)] } }], []));
  });
  expect(await deliver(study)).toMatchObject({ status: 'delivered' });
});

it('loses a claim that was taken from it for good, even when the row is free again', async () => {
  const { studyId } = await fixture.addUpload(makeStudy(1));
  await fixture.takeJobs();
  const claim = await RowClaim.take(fixture.db, fixture.transact, 'studies', studyId);
  await fixture.db('studies').where({ id: studyId }).update({ claimedBy: null, claimExpiresAt: null });
  await once(claim!.lost, 'abort', { signal: AbortSignal.timeout(15_000) });
  expect(await fixture.study(studyId)).toMatchObject({ claimedBy: null });
  await claim!.release();
});

it('leaves nothing behind when the database goes away in the middle', async () => {
  const study = await fixture.addUpload(makeStudy(3));
  await fixture.takeJobs();
  const doomed = new DeliveryFixture(postgres.url, fixture.directory);
  const started = vi.spyOn(globalThis, 'setInterval');
  const ended = vi.spyOn(globalThis, 'clearInterval');
  firstStow(async ({ request, response }) => {
    await pacs.takeIn(request);
    await doomed.close();
    response.end(stowAnswer([{ '00081155': { vr: 'UI', Value: [uidOf(study, 0)] } }], []));
  });
  // An unhandled rejection would fail the run.
  await expect(doomed.deliver(doomed.deps({ url: pacs.url }), study.studyId)).rejects.toThrow();
  const renewals = started.mock.results.filter((_, call) => started.mock.calls[call]?.[1] === RENEW_MS);
  expect(renewals).toHaveLength(1);
  expect(ended).toHaveBeenCalledWith(renewals[0]?.value);
  started.mockRestore();
  ended.mockRestore();
});

it('counts a break against an image only when the same PACS took others meanwhile', async () => {
  const [broken] = await fixture.instances((await fixture.addUpload(makeStudy(1))).studyId);
  const elsewhere = await fixture.addUpload(makeStudy(1));
  const [other] = await fixture.instances(elsewhere.studyId);
  await fixture.db('studies').where({ id: elsewhere.studyId }).update({ target: 'archive' });
  const again = async () => {
    const before = new Date(Date.now() - 60_000);
    await fixture.db('instances').where({ id: broken!.id }).update({ brokeAt: before, sends: 1 });
    await fixture.db('instances').where({ id: other!.id }).update({ sends: 1, storedAt: new Date() });
    return (await recordLoneBreak(fixture.db, broken!.id, true)).whileOthersWent;
  };
  // Those of earlier tests went to the same PACS.
  await fixture.db('instances').whereNot({ id: other!.id }).update({ storedAt: null });
  expect(await again()).toBe(0);
  await fixture.db('studies').where({ id: elsewhere.studyId }).update({ target: DEFAULT_TARGET });
  expect(await again()).toBe(1);
});
