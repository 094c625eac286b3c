import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { type Orthanc, startOrthanc } from './support/orthanc.js';
import { orthancDigests, pacsVariables } from './support/orthanc-contents.js';
import { type Redis, startRedis } from './support/redis.js';
import { type Stack, startStack } from './support/stack.js';
import { makeStudy } from './support/studies.js';

let orthanc: Orthanc;
let redis: Redis;
let stack: Stack;
let jane: ApiClient;

beforeAll(async () => {
  [orthanc, redis] = await Promise.all([startOrthanc(), startRedis()]);
  stack = await startStack({ env: { ...pacsVariables(orthanc), REDIS_URL: redis.url } });
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await stack?.stop();
  await Promise.all([orthanc?.dispose(), redis?.dispose()]);
});

const delivered = (id: string) => jane.waitFor(id, ({ status }) => status === 'delivered');

it('a study is delivered with queue and events on Redis', async () => {
  const study = makeStudy(5);
  await delivered(await jane.send(study.files));
  expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
});

it('a study is taken while Redis is down, and delivered when it is back', async () => {
  await redis.kill();
  const study = makeStudy(5);
  const id = await jane.send(study.files);
  expect(await jane.upload(id)).toMatchObject({ status: 'received' });
  const ready = await ApiClient.anonymous(stack.baseUrl).get('/readyz');
  expect(ready.body).toMatchObject({ status: 'ready', checks: { database: true, queue: false } });
  await redis.start();
  await delivered(id);
  expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
});

it('a study whose job Redis has forgotten is found again', async () => {
  await stack.worker.stop();
  const study = makeStudy(5);
  const id = await jane.send(study.files);
  await redis.flush();
  await stack.worker.start();
  await delivered(id);
  expect(await orthancDigests(orthanc, study.studyInstanceUid)).toEqual(study.digests);
});
