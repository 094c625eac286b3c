import { setTimeout as sleep } from 'node:timers/promises';
import { randomFrom } from '@relaypacs/core/archive/testing/seeded-random.js';
import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { type Database, openDatabase } from '@relaypacs/core/db/database.js';
import { isSettled } from '@relaypacs/core/domain/upload-status.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestSandbox } from '../sandbox/src/testing/sandbox-client.js';
import { inParallel } from '../worker/src/in-parallel.js';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { RecordingProxy } from './support/recording-proxy.js';
import { type Redis, startRedis } from './support/redis.js';
import { dataSetDigest, dataSetDigests } from './support/sandbox-contents.js';
import { Blows } from './support/soak-blows.js';
import { type Stack, startStack } from './support/stack.js';
import { type MadeStudy, makeStudy } from './support/studies.js';

/** For a longer soak: `SOAK_STUDIES=5000 SOAK_SECONDS=3600 npm test -- --project e2e soak`. */
const STUDIES = Number(process.env.SOAK_STUDIES ?? 210);
/** Faults go on at least so long. */
const SECONDS = Number(process.env.SOAK_SECONDS ?? 60);
const SEED = Number(process.env.SOAK_SEED ?? Date.now() % 100_000);
const LEVELS = ['routine', 'routine', 'emergency', 'stat'] as const;
/** One of so many studies is sent again. */
const SENT_AGAIN = 5;

type Pacs = 'default' | 'sandbox';

interface Sent {
  id: string;
  sender: ApiClient;
  study: MadeStudy;
  target: Pacs;
  /** Images of it may have gone early, even one alone. */
  isStat: boolean;
  /** Where an administrator had it sent once more, and whether it had been deleted there. */
  resend?: { target: Pacs; wasDeleted?: true };
}

const below = randomFrom(SEED);

let orthanc: Orthanc;
let proxy: RecordingProxy;
let sandbox: TestSandbox;
let redis: Redis;
let stack: Stack;
let database: Database;
let blows: Blows;
let admin: ApiClient;
let senders: ApiClient[];
const sent: Sent[] = [];

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
      DELIVERY_EAGER: 'stat',
    },
  });
  database = openDatabase(stack.databaseUrl, 2);
  const workers = [stack.worker, await stack.addWorker()];
  const sentWholeToSandbox = () =>
    sent.filter(({ target, isStat }) => target === 'sandbox' && !isStat).map(({ study }) => study);
  blows = new Blows({ orthanc, proxy, sandbox, redis, stack, workers, sentWholeToSandbox }, below);
  admin = await ApiClient.signUp(stack.baseUrl);
  senders = [];
  for (let i = 0; i < 3; i += 1) senders.push(await ApiClient.signUp(stack.baseUrl));
});
afterAll(async () => {
  await database?.destroy();
  await stack?.stop();
  await proxy?.close();
  await sandbox?.stop();
  await Promise.all([orthanc?.dispose(), redis?.dispose()]);
});

/** Tries until it succeeds: whatever it needs may be away just now, and a sign-in ends. */
async function insist<T>(client: ApiClient, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch {
      await sleep(300);
      await client.signIn().catch(() => {});
    }
  }
}

async function sendAll(): Promise<void> {
  const waiting = Array.from({ length: STUDIES }, (_, index) => index).values();
  const lane = async () => {
    for (const index of waiting) {
      const modality = index % 2 === 1 ? 'MR' : 'CT';
      const given = { modality, serviceLevel: LEVELS[index % LEVELS.length]! };
      const sender = senders[index % senders.length]!;
      const isStat = given.serviceLevel === 'stat';
      // As a client that begins anew: an upload that was not finished expires.
      const own = await insist(sender, async () => {
        const study = makeStudy((isStat ? 2 : 1) + below(5), { modality, studyDate: '20260102' });
        const id = await (isStat ? sendHaltingly(sender, study, given) : sender.send(study.files, given));
        return { study, id };
      });
      sent.push({ ...own, sender, isStat, target: modality === 'MR' ? 'sandbox' : 'default' });
      // Spread over the time of the faults.
      await sleep((SECONDS * 1000 * 3) / STUDIES);
    }
  };
  await Promise.all([lane(), lane(), lane()]);
}

/** The last file comes some time after the others, of which images may go early. */
async function sendHaltingly(
  sender: ApiClient,
  { files }: MadeStudy,
  given: Parameters<ApiClient['announce']>[0],
): Promise<string> {
  const totalBytes = files.reduce((sum, file) => sum + file.length, 0);
  const upload = await sender.announce({ fileCount: files.length, totalBytes, ...given });
  for (const [index, file] of files.entries()) {
    if (index === files.length - 1) await sleep(500 + below(2000));
    const { status } = await sender.createFile(upload, file, `IM${index}.dcm`);
    if (status !== 201) throw new Error(`Not sent: ${status}`);
  }
  return upload.id;
}

/** An administrator has some of what is delivered sent again. */
async function sendAgainWhile(goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    await sleep(200);
    const candidates = sent.filter(({ resend }, nth) => nth % SENT_AGAIN === 0 && resend === undefined);
    const one = candidates[below(candidates.length || 1)];
    const upload = await one?.sender.upload(one.id).catch(() => undefined);
    if (one && upload?.status === 'delivered') await sendAgain(one);
  }
}

async function sendAgain(one: Sent): Promise<void> {
  const { id, study, target } = one;
  const way = below(3);
  one.resend = { target };
  if (way === 0) one.resend = { target: target === 'sandbox' ? 'default' : 'sandbox' };
  else if (way === 1 && target === 'default') {
    one.resend = { target, wasDeleted: true };
    await insist(admin, () => removeFromOrthanc(study.studyInstanceUid));
  }
  await insist(admin, async () => {
    const { status, body } = await admin.post(`/api/v1/uploads/${id}/resend`, {
      target: one.resend?.target,
    });
    // It is on its way already where the first answer was lost.
    if (status !== 202 && status !== 409) throw new Error(`Not sent again: ${JSON.stringify(body)}`);
  });
}

async function removeFromOrthanc(studyInstanceUid: string): Promise<void> {
  const lookup = { method: 'POST', body: studyInstanceUid };
  const found = (await (await orthanc.rest('/tools/lookup', lookup)).json()) as Array<{ Path: string }>;
  for (const { Path } of found) await orthanc.rest(Path, { method: 'DELETE' });
}

/** How each upload has ended, and what was sent again of it, once all have. */
async function endsOf(
  all: readonly Sent[],
): Promise<Map<Sent, { first: string; again: string[]; early: boolean }>> {
  const ends = new Map<Sent, { first: string; again: string[]; early: boolean }>();
  const again = ({ studies }: UploadDetail) => studies.filter(({ resendOf }) => resendOf !== null);
  const hasEnded = ({ status }: { status: string }) => status === 'delivered' || status === 'failed';
  for (const client of senders) await client.signIn();
  for (const one of all) {
    const upload = await one.sender.waitFor(
      one.id,
      (seen) => isSettled(seen.status) && again(seen).every(hasEnded),
      240_000,
    );
    const say = (each: Pick<UploadDetail, 'status' | 'problem'> | StudyEnd) =>
      each.problem ? `${each.status}: ${each.problem.code}` : each.status;
    const early = upload.timeline.some(({ event }) => event === 'early_delivery');
    ends.set(one, { first: say(upload), again: again(upload).map(say), early });
  }
  return ends;
}

type StudyEnd = Pick<UploadDetail['studies'][number], 'status' | 'problem'>;

/** What the sandbox forgot is sent again two minutes after it was stored: here at once. */
async function passIndexPatience(): Promise<void> {
  const putOff = database('studies')
    .where({ status: 'delivering', waitingFor: null, claimedBy: null })
    .whereNotNull('nextAttemptAt');
  await database('instances')
    .whereIn('status', ['stored', 'warning'])
    .whereIn('studyId', putOff.clone().select('id'))
    .update({ storedAt: new Date(Date.now() - 180_000) });
  await putOff.clone().update({ nextAttemptAt: null });
}

/** Of the places a study was sent to, those that do not have it byte for byte. */
async function missingAt(one: Sent, inOrthanc: ReadonlyMap<string, string>): Promise<Pacs[]> {
  const { study, target, resend } = one;
  const places = new Set([target, resend?.target ?? target]);
  const inSandbox = places.has('sandbox')
    ? await dataSetDigests(sandbox, study.studyInstanceUid)
    : new Set<string>();
  const isThere = {
    default: [...study.digests].every(([uid, digest]) => inOrthanc.get(uid) === digest),
    sandbox: study.files.every((file) => inSandbox.has(dataSetDigest(file))),
  };
  return [...places].filter((place) => !isThere[place]);
}

it(`of ${STUDIES} studies each arrives complete and once, whatever is killed meanwhile (seed ${SEED})`, async () => {
  let sending = true;
  const until = Date.now() + SECONDS * 1000;
  const goesOn = () => sending || Date.now() < until;
  const meanwhile = Promise.all([blows.strikeWhile(goesOn), sendAgainWhile(goesOn)]);
  await sendAll();
  sending = false;
  await meanwhile;

  const ageing = setInterval(() => passIndexPatience().catch(() => {}), 1000);
  const ends = await endsOf(sent).finally(() => clearInterval(ageing));
  const inOrthanc = await orthancDigests(orthanc);
  const outcome = { delivered: 0, ended: {} as Record<string, string>, instances: 0, falselyReported: 0 };
  const resent = { asked: 0, delivered: 0, ended: {} as Record<string, string[]> };
  await inParallel(sent, 8, async (one) => {
    const { first, again } = ends.get(one)!;
    outcome.instances += one.study.files.length;
    if (first === 'delivered') outcome.delivered += 1;
    else outcome.ended[one.id] = first;
    if (one.resend) resent.asked += 1;
    if (again.length > 0 && again.every((end) => end === 'delivered')) resent.delivered += 1;
    else if (one.resend) resent.ended[one.id] = again;
    const isSaid = first === 'delivered' && again.every((end) => end === 'delivered');
    if (isSaid && (await missingAt(one, inOrthanc)).length > 0) outcome.falselyReported += 1;
  });

  const stored = proxy.stored();
  const timesMeant = ({ target, resend }: Sent) =>
    (target === 'default' ? 1 : 0) +
    (resend?.target === 'default' && target !== 'default' ? 1 : 0) +
    (resend?.wasDeleted ? 1 : 0);
  const storedNeedlessly = sent.flatMap((one) =>
    [...one.study.digests.keys()].filter((uid) => (stored.get(uid) ?? 0) > timesMeant(one)),
  );
  const { instances } = await sandbox.statistics();
  const counts = {
    seed: SEED,
    studies: sent.length,
    ...outcome,
    resent,
    begunEarly: [...ends.values()].filter(({ early }) => early).length,
    deletedBefore: sent.filter(({ resend }) => resend?.wasDeleted).length,
    storedNeedlesslyInOrthanc: storedNeedlessly.length,
    sandbox: instances,
    blows: Object.fromEntries(blows.struck),
    befallen: Object.fromEntries(blows.befallen),
  };
  console.log(`Soak: ${JSON.stringify(counts)}`);
  expect(counts).toMatchObject({
    studies: STUDIES,
    delivered: STUDIES,
    ended: {},
    falselyReported: 0,
    resent: { delivered: resent.asked, ended: {} },
    storedNeedlesslyInOrthanc: 0,
    sandbox: { needless: 0 },
  });
  expect(resent.asked).toBeGreaterThan(0);
  expect(counts.begunEarly).toBeGreaterThan(0);
}, 900_000);
