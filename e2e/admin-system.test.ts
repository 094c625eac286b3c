import type { SystemStatus } from '@relaypacs/core/contract/admin.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../scripts/free-port.js';
import { ApiClient } from './support/api-client.js';
import { FaultyPacs } from './support/faulty-pacs.js';
import { type Stack, startStack } from './support/stack.js';
import { makeStudy } from './support/studies.js';

let pacs: FaultyPacs;
let answers = false;
let stack: Stack;
let admin: ApiClient;
let jane: ApiClient;
let workerMetrics: string;

beforeAll(async () => {
  pacs = await FaultyPacs.start();
  pacs.fault = ({ response }) => {
    if (answers) return false;
    response.writeHead(403).end();
    return true;
  };
  const port = await freePort();
  workerMetrics = `http://127.0.0.1:${port}/metrics`;
  const nowhere = `http://127.0.0.1:${await freePort()}/rs`;
  stack = await startStack({
    env: {
      PACS_URL: pacs.url,
      PACS_TARGETS: 'archive',
      PACS_ARCHIVE_URL: nowhere,
      PACS_ARCHIVE_NAME: 'Long-term archive',
      PACS_CHOICES: 'archive',
      WORKER_METRICS_PORT: String(port),
    },
  });
  // The first account is the administrator.
  admin = await ApiClient.signUp(stack.baseUrl);
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await stack?.stop();
  await pacs?.close();
});

async function systemWhen(holds: (system: SystemStatus) => boolean): Promise<SystemStatus> {
  const deadline = Date.now() + 40_000;
  for (;;) {
    const { body } = await admin.get<SystemStatus>('/api/v1/admin/system');
    if (holds(body)) return body;
    if (Date.now() > deadline) throw new Error(`The system did not get there: ${JSON.stringify(body)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const metric = async (series: string) => {
  const text = await (await fetch(workerMetrics)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`relaypacs_${series} `))
      ?.split(' ')[1],
  );
};

it('shows administrators which PACS takes nothing, since when, why, and what waits for it', async () => {
  const here = await jane.send(makeStudy(1).files);
  const there = await jane.send(makeStudy(1).files, { target: 'archive' });
  const system = await systemWhen(({ pacs: all }) =>
    all.every(({ circuit, waiting }) => circuit === 'open' && waiting === 1),
  );
  expect(system).toMatchObject({
    pacs: [
      {
        key: 'default',
        name: 'PACS',
        isDefault: true,
        kind: 'denied',
        reason: expect.stringMatching(/403 \(check PACS_[A-Z_]*AUTH and what belongs to it\)/),
      },
      {
        key: 'archive',
        name: 'Long-term archive',
        isDefault: false,
        kind: 'unreachable',
        since: expect.any(String),
        checkedAt: expect.any(String),
        latencyMs: null,
        running: 0,
      },
    ],
    unknownTargets: [],
    queues: { intake: expect.any(Number), delivery: expect.any(Number) },
  });
  for (const id of [here, there]) await jane.waitFor(id, ({ waitingFor }) => waitingFor === 'pacs');
  expect((await jane.upload(there)).studies[0]).toMatchObject({
    target: 'archive',
    targetName: 'Long-term archive',
  });
  expect(await metric('pacs_up{target="archive"}')).toBe(0);

  answers = true;
  await jane.waitFor(here, ({ status }) => status === 'delivered', 40_000);
  const after = await systemWhen(({ pacs: [main] }) => main?.circuit === 'closed' && main.waiting === 0);
  expect(after.pacs[0]).toMatchObject({
    kind: null,
    reason: null,
    since: null,
    latencyMs: expect.any(Number),
  });
  expect(await metric('pacs_up{target="default"}')).toBe(1);
  expect(await metric('delivery_runs_total{target="default",outcome="delivered"}')).toBe(1);
  expect(await jane.upload(there)).toMatchObject({ status: 'delivering', waitingFor: 'pacs' });
});

it('names the PACS that studies wait for although nothing in the configuration is called so', async () => {
  const id = await jane.send(makeStudy(1).files, { target: 'archive' });
  await jane.waitFor(id, ({ waitingFor }) => waitingFor === 'pacs');
  await stack.worker.stop();
  const worker = await stack.addWorker({ PACS_TARGETS: '', PACS_CHOICES: '' });
  const server = await stack.addServer({ PACS_TARGETS: '', PACS_CHOICES: '' });
  await jane.waitFor(id, ({ problem }) => problem?.code === 'PACS_NOT_CONFIGURED');
  const { body } = await admin.request<SystemStatus>('GET', `${server.baseUrl}/api/v1/admin/system`);
  expect(body.unknownTargets).toEqual([{ key: 'archive', waiting: 2 }]);
  await worker.stop();
});

it('is closed to everybody else', async () => {
  expect(await jane.get('/api/v1/admin/system')).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
  expect((await ApiClient.anonymous(stack.baseUrl).get('/api/v1/admin/system')).status).toBe(401);
  const made = await admin.post<{ token: string }>('/api/v1/me/tokens', {
    name: 'script',
    scopes: ['uploads:write'],
  });
  const script = ApiClient.anonymous(stack.baseUrl);
  script.token = made.body.token;
  expect((await script.get('/api/v1/admin/system')).status).toBe(403);
});

it('refuses a PACS that may not be chosen, and lists those that may', async () => {
  expect((await jane.get('/api/v1/targets')).body).toEqual({
    items: [{ key: 'archive', name: 'Long-term archive' }],
  });
  const study = { patientName: 'Doe^Jane', studyDate: '2026-01-02', modality: 'CT', serviceLevel: 'routine' };
  const refused = await jane.post('/api/v1/uploads', {
    ...study,
    fileCount: 1,
    totalBytes: 1,
    target: 'default',
  });
  expect(refused).toMatchObject({ status: 422, body: { errors: [{ path: 'target' }] } });
});
