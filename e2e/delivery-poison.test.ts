import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { TestSandbox } from '../sandbox/src/testing/sandbox-client.js';
import { DeliveryFixture, makeStudy, type TestStudy } from './support/delivery-fixture.js';
import { FaultyPacs, stowAnswer } from './support/faulty-pacs.js';
import { tally } from './support/stow-recorder.js';

let fixture: DeliveryFixture;
let sandbox: TestSandbox;

beforeAll(async () => {
  fixture = await DeliveryFixture.start('poison');
});
beforeEach(async () => {
  // Nothing else goes to this PACS, or ever went.
  await fixture.db('studies').delete();
  await fixture.db('pacsCircuits').delete();
  await fixture.takeJobs();
  fixture.log.length = 0;
  sandbox = await TestSandbox.start();
  return () => sandbox.stop();
});
afterAll(async () => {
  await fixture?.close();
});

const MINUTES = 60_000;

/** Lets time go by for what the rows say of breaks: everything in them was so much earlier. */
async function wait(ms: number): Promise<void> {
  const earlier = (column: string) => fixture.db.raw(`?? - ? * interval '1 millisecond'`, [column, ms]);
  await fixture.db('instances').update({
    brokeAt: earlier('broke_at'),
    breaksSince: earlier('breaks_since'),
    storedAt: earlier('stored_at'),
  });
  await fixture.db('pacsCircuits').update({
    checkedAt: earlier('checked_at'),
    nextProbeAt: fixture.db.raw(`now() - interval '1 second'`),
  });
}

/** Attempts `every` so many milliseconds, with a probe before each, until the study has ended or `times` are over. */
async function attempt(
  study: TestStudy,
  {
    times,
    every = 4 * MINUTES,
    url = sandbox.url,
    timeoutMs = 20_000,
  }: {
    times: number;
    every?: number;
    url?: string;
    timeoutMs?: number;
  },
): Promise<number> {
  const deps = fixture.deps({ url, timeoutMs });
  for (let made = 0; made < times; made += 1) {
    if ((await fixture.study(study.studyId)).status === 'failed') return made;
    await wait(every);
    await deps.circuits.tend();
    await fixture.deliver(deps, study.studyId);
  }
  return times;
}

const stands = ({ studyId }: TestStudy) => fixture.study(studyId);
async function statuses({ studyId }: TestStudy): Promise<Record<string, number>> {
  return Object.fromEntries(tally((await fixture.instances(studyId)).map(({ status }) => status)));
}

it('gives up an image over which a PACS breaks off for half an hour, though nothing else goes there', async () => {
  const study = await fixture.addUpload(makeStudy(1));
  await sandbox.putFaults({ kind: 'dropMidBody', on: 'stow', afterBytes: 1000 });
  // Seven times in 24 minutes are not enough.
  await attempt(study, { times: 7 });
  expect(await stands(study)).toMatchObject({ status: 'delivering', waitingFor: 'pacs', problem: null });
  await attempt(study, { times: 5 });
  expect(await fixture.upload(study.uploadId)).toMatchObject({ status: 'failed' });
  const { problem } = await stands(study);
  expect(problem).toMatchObject({ code: 'PACS_BREAKS_DOWN', remedy: 'contact_pacs' });
  expect(problem?.detail).toMatch(/broke the connection off/i);
  expect(problem?.detail).toMatch(/kept safely here/);
  expect(problem?.detail).toMatch(/press Retry/);
  expect(fixture.log).toContainEqual(
    expect.objectContaining({ level: 'error', message: expect.stringMatching(/given up/) }),
  );

  await sandbox.deleteFaults();
  await fixture.retry(study);
  await fixture.deliver(fixture.deps({ url: sandbox.url }), study.studyId);
  expect(await stands(study)).toMatchObject({ status: 'delivered', problem: null });
});

it('delivers the rest of the study when it gives up on images', async () => {
  const study = await fixture.addUpload(makeStudy(25));
  const poison = [3, 24].map((index) => study.objects[index]!.sopInstanceUid);
  const pacs = await FaultyPacs.start();
  pacs.fault = async ({ kind, request, response }) => {
    if (kind !== 'stow') return false;
    const before = new Set(pacs.objects.keys());
    const parts = await pacs.takeIn(request);
    if (parts.some(({ sopInstanceUid }) => poison.includes(sopInstanceUid!))) {
      for (const { sopInstanceUid } of parts) {
        if (!before.has(sopInstanceUid!)) pacs.objects.delete(sopInstanceUid!);
      }
      request.socket.destroy();
      return true;
    }
    const items = parts.map(({ sopInstanceUid }) => ({ '00081155': { vr: 'UI', Value: [sopInstanceUid] } }));
    response.end(stowAnswer(items, []));
    return true;
  };
  try {
    await attempt(study, { times: 20, url: pacs.url });
    expect(await stands(study)).toMatchObject({ status: 'failed', problem: { code: 'PACS_BREAKS_DOWN' } });
    expect(await statuses(study)).toEqual({ verified: 23, failed: 2 });
  } finally {
    await pacs.close();
  }
});

it.each([
  ['is down', { kind: 'refuse', on: 'any' }],
  [
    'answers its probes, and resets every request for storage while others wait',
    { kind: 'refuse', on: 'stow' },
  ],
  ['hangs over what it is to store', { kind: 'hang', on: 'stow' }],
  ['has an error of its own', { kind: 'status', on: 'stow', status: 500 }],
] as const)(
  'blames no image of a PACS that %s, however long',
  async (what, fault) => {
    const study = await fixture.addUpload(makeStudy(1));
    await sandbox.putFaults(fault);
    if (what.includes('while others wait')) {
      const other = await fixture.addUpload(makeStudy(1));
      await attempt(other, { times: 1 });
    }
    await attempt(study, { times: 12, timeoutMs: 300 });
    expect(await stands(study)).toMatchObject({ status: 'delivering', waitingFor: 'pacs' });
    await sandbox.deleteFaults();
    await attempt(study, { times: 1 });
    expect(await stands(study)).toMatchObject({ status: 'delivered' });
  },
  30_000,
);

it('counts only what happens while the PACS answers: an outage in between begins the count anew', async () => {
  const study = await fixture.addUpload(makeStudy(1));
  await sandbox.putFaults({ kind: 'dropMidBody', on: 'stow', afterBytes: 1000 });
  await attempt(study, { times: 5 });
  await sandbox.putFaults({ kind: 'refuse', on: 'any' });
  await attempt(study, { times: 5 });
  await sandbox.putFaults({ kind: 'dropMidBody', on: 'stow', afterBytes: 1000 });
  await attempt(study, { times: 7 });
  expect(await stands(study)).toMatchObject({ status: 'delivering' });
  await attempt(study, { times: 3 });
  expect(await stands(study)).toMatchObject({ status: 'failed' });
});

it('gives up no image that the PACS has by then', async () => {
  const study = await fixture.addUpload(makeStudy(1));
  const pacs = await FaultyPacs.start();
  let stores = false;
  pacs.fault = async ({ kind, request }) => {
    if (kind !== 'stow') return false;
    if (stores) await pacs.takeIn(request);
    request.socket.destroy();
    return true;
  };
  try {
    await attempt(study, { times: 8, url: pacs.url });
    expect(await stands(study)).toMatchObject({ status: 'delivering' });
    // The ninth time would be the last one.
    stores = true;
    await attempt(study, { times: 1, url: pacs.url });
    expect(await stands(study)).toMatchObject({ status: 'delivered', problem: null });
    expect(pacs.stored).toHaveLength(1);
  } finally {
    await pacs.close();
  }
});

it('does not give up after many breaks in a short time', async () => {
  const study = await fixture.addUpload(makeStudy(1));
  await sandbox.putFaults({ kind: 'dropMidBody', on: 'stow', afterBytes: 1000 });
  await attempt(study, { times: 40, every: 30_000 });
  expect(await stands(study)).toMatchObject({ status: 'delivering' });
  expect(await attempt(study, { times: 40, every: 30_000 })).toBeLessThan(30);
});
