import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { RecordingProxy } from './support/recording-proxy.js';
import { type Stack, startStack } from './support/stack.js';
import { makeStudy } from './support/studies.js';

/** The first request has one image, each of the others twenty. */
const SLICES = 105;
/** From this STOW-RS request on the PACS takes nothing in. */
const HELD_FROM = 4;

let orthanc: Orthanc;
let proxy: RecordingProxy;
let stack: Stack;
let jane: ApiClient;

beforeAll(async () => {
  orthanc = await startOrthanc();
  proxy = await RecordingProxy.start(orthanc.url);
  stack = await startStack({ env: { ...pacsVariables(orthanc), PACS_URL: proxy.url } });
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await stack?.stop();
  await proxy?.close();
  await orthanc?.dispose();
});

it('goes on within half a minute with the study of a killed worker, from what the PACS has confirmed', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const holding = new Set<number>();
  proxy.onStowBytes = (bytes, nth) => {
    if (nth < HELD_FROM || bytes < 500_000) return;
    holding.add(nth);
    return held;
  };
  const study = makeStudy(SLICES, { rows: 256, columns: 256 });
  const id = await jane.send(study.files);
  // The image that creates the study and two of the requests after it: one may be that with what is left of the first.
  await expect.poll(() => proxy.stored().size, { timeout: 60_000 }).toBeGreaterThanOrEqual(40);
  await expect.poll(() => holding.size).toBeGreaterThan(0);
  const confirmed = proxy.stored();
  await stack.addWorker();
  expect((await jane.upload(id)).status).toBe('delivering');

  const killed = performance.now();
  await stack.worker.kill();
  const before = proxy.stows.length;
  proxy.onStowBytes = () => {};
  proxy.cut();
  release();
  await expect.poll(() => proxy.stows.length, { timeout: 30_000 }).toBeGreaterThan(before);
  expect(performance.now() - killed).toBeLessThan(30_000);

  await jane.waitFor(id, ({ status }) => status === 'delivered');
  const sentLater = new Set(proxy.stows.slice(before).flatMap(({ uids }) => uids));
  expect([...confirmed.keys()].filter((uid) => sentLater.has(uid))).toEqual([]);
  expect(proxy.sent()).toEqual(new Map([...study.digests.keys()].map((uid) => [uid, 1])));
  expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
});
