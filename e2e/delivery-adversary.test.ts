import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PacsTarget } from '@relaypacs/core/config-targets.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../sandbox/src/faults/fault.js';
import { TestSandbox } from '../sandbox/src/testing/sandbox-client.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../scripts/embedded-postgres.js';
import { migrate } from '../scripts/migrate.js';
import { DeliveryDispatcher } from '../worker/src/delivery/dispatcher.js';
import { DeliveryFixture, makeStudy, type TestStudy } from './support/delivery-fixture.js';

/** Every fault the sandbox knows, by itself: it befalls the first requests, and then the archive is well again. */
const PASSING_FAULTS: Record<string, Partial<Fault> & { repeats?: true; timeoutMs?: number }> = {
  'refuses connections': { kind: 'refuse', on: 'stow', times: 2 },
  'refuses connections of searches': { kind: 'refuse', on: 'qido', times: 2 },
  'answers late': { kind: 'slow', on: 'any', delayMs: 300 },
  'reads slowly': { kind: 'slow', on: 'stow', bytesPerSecond: 1_000_000 },
  'never answers': { kind: 'hang', on: 'stow', times: 1, timeoutMs: 3000 },
  'stops reading': { kind: 'hang', on: 'stow', afterBytes: 50_000, times: 1, timeoutMs: 3000 },
  'drops the connection in a body': { kind: 'dropMidBody', on: 'stow', afterBytes: 90_000, times: 2 },
  'drops the connection in the answer to a search': { kind: 'dropMidBody', on: 'qido', times: 2 },
  'asks who it is before it reads': { kind: 'status', on: 'stow', status: 401, early: true, times: 2 },
  'denies access': { kind: 'status', on: 'stow', status: 403, times: 2 },
  'is asked too often': { kind: 'status', on: 'any', status: 429, retryAfterSeconds: 2, times: 3 },
  'has an error of its own': { kind: 'status', on: 'stow', status: 500, times: 2 },
  'is not available': { kind: 'status', on: 'any', status: 503, times: 4 },
  'has no room for some': { kind: 'partialFailure', on: 'stow', every: 3, times: 1 },
  'invents identifiers for what it could not read': { kind: 'inventedUids', on: 'stow', every: 5, times: 1 },
  'stores everything and loses its answer': { kind: 'storedButAnswerLost', on: 'stow', times: 2 },
  'loses half of its answer': { kind: 'storedButAnswerLost', on: 'stow', afterBytes: 40, times: 2 },
  'is slow to show what it stored': { kind: 'storesButHides', on: 'stow', seconds: 5, times: 2 },
  // What it never stored has to come again.
  'says that it stored what it did not': { kind: 'forgets', on: 'stow', every: 4, times: 1, repeats: true },
};

const PERSONALITIES = ['orthanc', 'dcm4chee'] as const;
/** Three requests: one image that begins the study, then the rest in two. */
const INSTANCES = 27;
/** Trials at once; each spends most of its time waiting. */
const AT_ONCE = 12;

interface Trial {
  target: PacsTarget;
  sandbox: TestSandbox;
  study: TestStudy;
  mayRepeat: boolean;
}

let directory: string;
let postgres: EmbeddedPostgres;
let fixture: DeliveryFixture;
const trials = new Map<string, Trial>();

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'relaypacs-adversary-'));
  postgres = await startEmbeddedPostgres({ dataDir: path.join(directory, 'data') });
  await migrate(postgres.url);
  fixture = new DeliveryFixture(postgres.url, directory);
  for (const personality of PERSONALITIES) {
    for (const [name, { repeats: mayRepeat, timeoutMs, ...fault }] of Object.entries(PASSING_FAULTS)) {
      await addTrial(`${personality} that ${name}`, personality, () => fault, { mayRepeat, timeoutMs });
    }
    await addTrial(`${personality} that refuses some for good`, personality, (uids) => ({
      kind: 'partialFailure',
      on: 'stow',
      sopInstanceUids: uids.filter((_uid, index) => index % 9 === 8),
      reason: 43264,
    }));
  }
  await deliverAll();
}, 240_000);
afterAll(async () => {
  await Promise.all([...trials.values()].map(({ sandbox }) => sandbox.stop()));
  await fixture?.close();
  await postgres?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Each trial has an archive and a target of its own, so that all of them can go on at once. */
async function addTrial(
  name: string,
  personality: (typeof PERSONALITIES)[number],
  fault: (sopInstanceUids: string[]) => Partial<Fault>,
  { mayRepeat = false, timeoutMs = 30_000 } = {},
): Promise<void> {
  const sandbox = await TestSandbox.start({ personality });
  const key = `t${trials.size}`;
  const study = await fixture.addUpload(makeStudy(INSTANCES, { rows: 96, columns: 96 }));
  await sandbox.putFaults(fault(study.objects.map(({ sopInstanceUid }) => sopInstanceUid)));
  await fixture.db('studies').where({ id: study.studyId }).update({ target: key });
  const target = fixture.target({ key, url: sandbox.url, timeoutMs });
  trials.set(name, { target, sandbox, study, mayRepeat });
}

async function deliverAll(): Promise<void> {
  const all = [...trials.values()];
  const deps = fixture.depsFor(
    all.map(({ target }) => target),
    { patienceSeconds: [0.3, 1, 2, 4] },
  );
  const deliveries = new DeliveryDispatcher(deps, AT_ONCE);
  let tending: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    tending = deps.circuits.tend().catch(() => {});
  }, 500);
  const deadline = Date.now() + 150_000;
  try {
    for (;;) {
      const uploads = await Promise.all(all.map(({ study }) => fixture.upload(study.uploadId)));
      if (uploads.every(({ status }) => status !== 'delivering')) return;
      // The tests below say which ones are not there.
      if (Date.now() > deadline) return;
      await sleep(200);
    }
  } finally {
    clearInterval(timer);
    await tending;
    await deliveries.close();
  }
}

const trialOf = (name: string) => {
  const trial = trials.get(name);
  if (!trial) throw new Error(`There was no trial ${name}`);
  return trial;
};
const uidsOf = ({ study }: Trial) => study.objects.map(({ sopInstanceUid }) => sopInstanceUid).sort();

describe.each(PERSONALITIES)('a study gets into an archive like %s', (personality) => {
  it.each(Object.keys(PASSING_FAULTS))('that %s: complete, and nothing needlessly twice', async (name) => {
    const trial = trialOf(`${personality} that ${name}`);
    expect(await fixture.upload(trial.study.uploadId)).toMatchObject({ status: 'delivered', problem: null });
    expect((await trial.sandbox.found()).sort()).toEqual(uidsOf(trial));
    const [fired] = await trial.sandbox.fired();
    expect(fired).toBeGreaterThan(0);
    const { instances } = await trial.sandbox.statistics();
    // Those that were refused for want of room, or under other names, or forgotten, were not stored the first time.
    const unstored = (instances.received ?? 0) - (instances.stored ?? 0);
    if (trial.mayRepeat) expect(instances.repeated).toBeGreaterThan(0);
    else expect(instances.repeated).toBeLessThanOrEqual(unstored);
  });

  it('that refuses some for good: it is said which, the others are there, and none is sent again', async () => {
    const trial = trialOf(`${personality} that refuses some for good`);
    const upload = await fixture.upload(trial.study.uploadId);
    expect(upload).toMatchObject({ status: 'failed' });
    expect(upload.problem?.title).toBe('3 of 27 images could not be delivered');
    expect((await trial.sandbox.found()).length).toBe(INSTANCES - 3);
    expect((await trial.sandbox.statistics()).instances).toMatchObject({ repeated: 0 });
  });
});
