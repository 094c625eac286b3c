import { setTimeout as sleep } from 'node:timers/promises';
import { randomFrom } from '@relaypacs/core/archive/testing/seeded-random.js';
import type { ServiceLevel } from '@relaypacs/core/contract/uploads.js';
import { isSettled } from '@relaypacs/core/domain/upload-status.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Fault } from '../sandbox/src/faults/fault.js';
import { TestSandbox } from '../sandbox/src/testing/sandbox-client.js';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { RecordingProxy } from './support/recording-proxy.js';
import { type Redis, startRedis } from './support/redis.js';
import type { ServiceProcess } from './support/service-process.js';
import { type Stack, startStack } from './support/stack.js';
import { type MadeStudy, makeStudy } from './support/studies.js';

/** For a longer soak: `SOAK_STUDIES=5000 SOAK_SECONDS=3600 npm test -- --project e2e soak`. */
const STUDIES = Number(process.env.SOAK_STUDIES ?? 210);
/** Faults go on at least so long. */
const SECONDS = Number(process.env.SOAK_SECONDS ?? 40);
const SEED = Number(process.env.SOAK_SEED ?? Date.now() % 100_000);
const LEVELS: ServiceLevel[] = ['routine', 'routine', 'emergency', 'stat'];

interface Sent {
  id: string;
  sender: ApiClient;
  study: MadeStudy;
  /** It goes to the sandbox, the others to Orthanc. */
  toSandbox: boolean;
}

const below = randomFrom(SEED);

let orthanc: Orthanc;
let proxy: RecordingProxy;
let sandbox: TestSandbox;
let redis: Redis;
let stack: Stack;
let workers: ServiceProcess[];
let senders: ApiClient[];

beforeAll(async () => {
  [orthanc, redis, sandbox] = await Promise.all([
    startOrthanc(),
    startRedis(),
    TestSandbox.start({ personality: 'dcm4chee' }),
  ]);
  proxy = await RecordingProxy.start(orthanc.url);
  stack = await startStack({
    env: {
      ...pacsVariables(orthanc),
      PACS_URL: proxy.url,
      PACS_TIMEOUT_SECONDS: '5',
      PACS_TARGETS: 'sandbox',
      PACS_SANDBOX_URL: sandbox.url,
      PACS_SANDBOX_TIMEOUT_SECONDS: '5',
      PACS_SANDBOX_ANSWER_TIMEOUT_SECONDS: '5',
      PACS_RULES: JSON.stringify([{ modality: 'MR', target: 'sandbox' }]),
      REDIS_URL: redis.url,
      DELIVERY_CONCURRENCY: '3',
    },
  });
  workers = [stack.worker, await stack.addWorker()];
  senders = [];
  for (let i = 0; i < 3; i += 1) senders.push(await ApiClient.signUp(stack.baseUrl));
});
afterAll(async () => {
  await stack?.stop();
  await proxy?.close();
  await sandbox?.stop();
  await Promise.all([orthanc?.dispose(), redis?.dispose()]);
});

/** What the sandbox does wrong for a while; each befalls some of its requests. */
const FAULTS: Array<Partial<Fault>> = [
  { kind: 'refuse', on: 'any' },
  { kind: 'slow', on: 'any', delayMs: 200 },
  { kind: 'dropMidBody', on: 'stow', afterBytes: 5000 },
  { kind: 'dropMidBody', on: 'qido', afterBytes: 10 },
  { kind: 'status', on: 'any', status: 503 },
  { kind: 'status', on: 'any', status: 429, retryAfterSeconds: 1 },
  { kind: 'status', on: 'stow', status: 500 },
  { kind: 'status', on: 'stow', status: 401, early: true },
  { kind: 'storedButAnswerLost', on: 'stow' },
  { kind: 'storesButHides', on: 'stow', seconds: 2 },
  { kind: 'inventedUids', on: 'stow', every: 7, times: 2 },
  { kind: 'partialFailure', on: 'stow', every: 5 },
];

const blows = new Map<string, number>();

/** One random blow at the system, and its repair. */
async function strike(): Promise<void> {
  const blow = below(100);
  const count = (name: string) => blows.set(name, (blows.get(name) ?? 0) + 1);
  if (blow < 35) {
    const worker = workers[below(workers.length)];
    count('worker killed');
    await worker?.kill();
    await sleep(below(2000));
    await worker?.start();
  } else if (blow < 50) {
    count('Orthanc killed');
    await orthanc.kill();
    await sleep(500 + below(2500));
    await orthanc.start();
  } else if (blow < 65) {
    count('connections to Orthanc cut');
    proxy.cut();
  } else if (blow < 75) {
    count('Redis flushed');
    await redis.flush();
  } else if (blow < 80) {
    count('Redis killed');
    await redis.kill();
    await sleep(below(2000));
    await redis.start();
  } else if (blow < 87) {
    count('PostgreSQL killed');
    process.kill(stack.postgres.pid, 'SIGKILL');
    // It comes back by itself.
    await sleep(3000);
  } else {
    count('sandbox faults changed');
    const fault = FAULTS[below(FAULTS.length)] ?? {};
    await sandbox.putFaults({ ...fault, chance: 0.5, seed: below(1000) });
  }
}

async function sendAll(): Promise<Sent[]> {
  const sent: Sent[] = [];
  const waiting = Array.from({ length: STUDIES }, (_, index) => index).values();
  const lane = async () => {
    for (const index of waiting) {
      const toSandbox = index % 2 === 1;
      const sender = senders[index % senders.length]!;
      const modality = toSandbox ? 'MR' : 'CT';
      const study = makeStudy(1 + below(5), { modality });
      const serviceLevel = LEVELS[index % LEVELS.length]!;
      sent.push({ id: await sendOnce(sender, study, modality, serviceLevel), sender, study, toSandbox });
      // Spread over the time of the faults.
      await sleep((SECONDS * 1000 * 3) / STUDIES);
    }
  };
  await Promise.all([lane(), lane(), lane()]);
  return sent;
}

/** As a client does that begins anew when its server or database is away: an upload that was not finished expires. */
async function sendOnce(
  sender: ApiClient,
  study: MadeStudy,
  modality: string,
  serviceLevel: ServiceLevel,
): Promise<string> {
  for (;;) {
    try {
      return await sender.send(study.files, { modality, serviceLevel });
    } catch {
      await sleep(300);
    }
  }
}

it(`of ${STUDIES} studies each arrives complete and once, whatever is killed meanwhile (seed ${SEED})`, async () => {
  let strikes = true;
  const until = Date.now() + SECONDS * 1000;
  const striking = (async () => {
    while (strikes || Date.now() < until) {
      await strike();
      await sleep(300 + below(1500));
    }
  })();
  const sent = await sendAll();
  strikes = false;
  await striking;
  await sandbox.deleteFaults();

  const ends = await endsOf(sent);
  const outcome = { delivered: 0, ended: {} as Record<string, string>, instances: 0, falselyReported: 0 };
  const inOrthanc = await orthancDigests(orthanc);
  const inSandbox = new Set(await sandbox.found());
  for (const { id, study, toSandbox } of sent) {
    const isThere = [...study.digests].every(([uid, digest]) =>
      toSandbox ? inSandbox.has(uid) : inOrthanc.get(uid) === digest,
    );
    const end = ends.get(id) ?? '';
    if (end === 'delivered') outcome.delivered += 1;
    else outcome.ended[id] = end;
    if (end === 'delivered' && !isThere) outcome.falselyReported += 1;
    outcome.instances += study.files.length;
  }
  const ours = new Set(
    sent.filter(({ toSandbox }) => !toSandbox).flatMap(({ study }) => [...study.digests.keys()]),
  );
  const twice = [...proxy.stored()].filter(([uid, times]) => ours.has(uid) && times > 1).length;
  const { instances } = await sandbox.statistics();
  const unstored = (instances.received ?? 0) - (instances.stored ?? 0);
  const counts = {
    seed: SEED,
    studies: sent.length,
    ...outcome,
    storedTwiceInOrthanc: twice,
    sandbox: { ...instances, unstored },
    blows: Object.fromEntries(blows),
  };
  console.log(`Soak: ${JSON.stringify(counts)}`);
  expect(counts).toMatchObject({
    delivered: sent.length,
    ended: {},
    falselyReported: 0,
    storedTwiceInOrthanc: 0,
  });
  expect(instances.repeated).toBeLessThanOrEqual(unstored);
}, 900_000);

/** How each upload has ended, once all have. */
async function endsOf(sent: readonly Sent[]): Promise<Map<string, string>> {
  const ends = new Map<string, string>();
  for (const { id, sender } of sent) {
    const upload = await sender.waitFor(id, ({ status }) => isSettled(status), 240_000);
    ends.set(id, upload.problem ? `${upload.status}: ${upload.problem.code}` : upload.status);
  }
  return ends;
}
