import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../scripts/free-port.js';
import { ApiClient } from './support/api-client.js';
import { type Stack, startStack } from './support/stack.js';
import { beginFile, create, patch, RawPatch } from './support/tus-requests.js';

const TOKEN = 'a-token-for-prometheus';
const METHODS = ['OPTIONS', 'POST', 'HEAD', 'PATCH', 'DELETE', 'other'];

let stack: Stack;
let jane: ApiClient;
let ports: { server: number; worker: number };

beforeAll(async () => {
  ports = { server: await freePort(), worker: await freePort() };
  stack = await startStack({
    env: {
      METRICS_PORT: String(ports.server),
      WORKER_METRICS_PORT: String(ports.worker),
      METRICS_TOKEN: TOKEN,
    },
  });
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(() => stack?.stop());

const bearer = { authorization: `Bearer ${TOKEN}` };
const ask = (baseUrl: string, headers: Record<string, string> = bearer) =>
  fetch(`${baseUrl}/metrics`, { headers });
const textOf = async (baseUrl: string) => (await ask(baseUrl)).text();

/** The value of one series of the server; 0 where it is not there yet. */
async function value(series: string, baseUrl = stack.baseUrl): Promise<number> {
  const line = (await textOf(baseUrl)).split('\n').find((one) => one.startsWith(`relaypacs_${series} `));
  return Number(line?.split(' ')[1] ?? 0);
}

/** By how much series rise during some work, once it is done. */
async function rises(names: readonly string[], work: () => Promise<unknown>) {
  const before = await Promise.all(names.map((name) => value(name)));
  await work();
  return async () =>
    Object.fromEntries(
      await Promise.all(names.map(async (name, i) => [name, (await value(name)) - (before[i] ?? 0)])),
    );
}

describe('the metrics', () => {
  it('are given on the main port to who has the token, and to nobody else', async () => {
    const answer = await ask(stack.baseUrl);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const wrong = [
      {},
      { authorization: `Bearer ${TOKEN}x` },
      { authorization: `Bearer ${jane.token}` },
      { authorization: `Basic ${TOKEN}` },
    ];
    for (const headers of wrong) {
      const refused = await ask(stack.baseUrl, headers);
      expect(refused.status).toBe(401);
      expect(refused.headers.get('content-type')).toContain('application/problem+json');
      expect(refused.headers.get('www-authenticate')).toBe('Bearer');
      expect(await refused.text()).not.toContain('relaypacs_');
    }
  });

  it('of server and worker are on ports of their own, with nothing else there', async () => {
    for (const port of [ports.server, ports.worker]) {
      const own = `http://127.0.0.1:${port}`;
      expect(await textOf(own)).toMatch(/^relaypacs_process_cpu_seconds_total [\d.e-]+$/m);
      expect((await ask(own, {})).status).toBe(401);
      expect((await fetch(`${own}/readyz`, { headers: bearer })).status).toBe(404);
    }
    expect(await textOf(`http://127.0.0.1:${ports.server}`)).toContain('relaypacs_tus_requests_total');
    expect(await textOf(`http://127.0.0.1:${ports.worker}`)).not.toContain('relaypacs_tus_');
  });

  it('without a token are not on the main port, and open on their own', async () => {
    const port = await freePort();
    const { baseUrl } = await stack.addServer({ METRICS_PORT: String(port), METRICS_TOKEN: '' });
    const unknown = await ask(baseUrl);
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ code: 'NOT_FOUND' });
    expect((await ask(`http://127.0.0.1:${port}`, {})).status).toBe(200);
  });
});

describe('an upload moves the metrics', () => {
  it('by exactly its bytes and requests', async () => {
    const content = randomBytes(2_500_000);
    const rise = await rises(
      [
        'tus_received_bytes_total',
        'tus_acknowledged_bytes_total',
        'tus_body_ends_total{end="complete"}',
        'tus_requests_total{method="POST",status="201"}',
        'tus_requests_total{method="PATCH",status="204"}',
        'tus_request_duration_seconds_count{method="PATCH"}',
        'tus_lease_takes_total{from="free"}',
        'tus_lease_takes_total{from="here"}',
        'http_requests_total{status="5xx"}',
      ],
      async () => {
        const file = await beginFile(jane, content.length);
        for (let at = 0; at < content.length; at += 1_000_000) {
          expect((await patch(file, at, content.subarray(at, at + 1_000_000))).status).toBe(204);
        }
      },
    );
    await expect.poll(rise).toEqual({
      tus_received_bytes_total: content.length,
      tus_acknowledged_bytes_total: content.length,
      'tus_body_ends_total{end="complete"}': 3,
      'tus_requests_total{method="POST",status="201"}': 1,
      'tus_requests_total{method="PATCH",status="204"}': 3,
      'tus_request_duration_seconds_count{method="PATCH"}': 3,
      'tus_lease_takes_total{from="free"}': 1,
      'tus_lease_takes_total{from="here"}': 3,
      'http_requests_total{status="5xx"}': 0,
    });
  });

  it('that arrives damaged, by a mismatch and bytes that were not acknowledged', async () => {
    const content = randomBytes(50_000);
    const digest = createHash('sha1').update('something else').digest('base64');
    const rise = await rises(
      [
        'tus_checksum_mismatches_total',
        'tus_received_bytes_total',
        'tus_acknowledged_bytes_total',
        'tus_requests_total{method="PATCH",status="460"}',
        'tus_lease_takes_total{from="dead"}',
      ],
      async () => {
        const file = await beginFile(jane, content.length);
        for (let time = 0; time < 2; time += 1) {
          expect((await patch(file, 0, content, { 'upload-checksum': `sha1 ${digest}` })).status).toBe(460);
        }
      },
    );
    await expect.poll(rise).toEqual({
      tus_checksum_mismatches_total: 2,
      tus_received_bytes_total: 2 * content.length,
      tus_acknowledged_bytes_total: 0,
      'tus_requests_total{method="PATCH",status="460"}': 2,
      // The server that takes its own lease anew is no dead one.
      'tus_lease_takes_total{from="dead"}': 0,
    });
  });

  it('whose connection breaks, by a broken body and a request without an answer', async () => {
    const content = randomBytes(40_000);
    let request: RawPatch | undefined;
    const rise = await rises(
      [
        'tus_body_ends_total{end="broken"}',
        'tus_requests_total{method="PATCH",status="none"}',
        'tus_received_bytes_total',
        'tus_acknowledged_bytes_total',
      ],
      async () => {
        const file = await beginFile(jane, 100_000);
        request = new RawPatch(file, 0, 100_000);
        await request.write(content);
        // Open for writing: the server is at the body.
        await expect.poll(() => value('tus_open_files')).toBeGreaterThan(0);
        request.socket.end();
      },
    );
    await expect.poll(rise, { timeout: 10_000 }).toEqual({
      'tus_body_ends_total{end="broken"}': 1,
      'tus_requests_total{method="PATCH",status="none"}': 1,
      tus_received_bytes_total: content.length,
      tus_acknowledged_bytes_total: content.length,
    });
  });

  it('that goes on at another server, by a lease handed over', async () => {
    const content = randomBytes(2000);
    const other = await stack.addServer({ METRICS_PORT: '' });
    const file = await beginFile(jane, content.length);
    expect((await patch(file, 0, content.subarray(0, 1000))).status).toBe(204);
    const elsewhere = { ...file, url: `${other.baseUrl}/files/${file.id}` };
    expect((await patch(elsewhere, 1000, content.subarray(1000))).status).toBe(204);
    expect(await value('tus_lease_takes_total{from="elsewhere"}', other.baseUrl)).toBe(1);
    await expect.poll(() => value('tus_open_files', other.baseUrl)).toBe(0);
  });

  it('whose server is killed, by a lease of a dead one', async () => {
    const content = randomBytes(2000);
    const doomed = await stack.addServer({ METRICS_PORT: '' });
    const file = await beginFile(jane, content.length);
    const there = { ...file, url: `${doomed.baseUrl}/files/${file.id}` };
    expect((await patch(there, 0, content.subarray(0, 1000))).status).toBe(204);
    const rise = await rises(['tus_lease_takes_total{from="dead"}'], async () => {
      await doomed.process.kill();
      await expect
        .poll(async () => (await patch(file, 1000, content.subarray(1000))).status, { timeout: 10_000 })
        .toBe(204);
    });
    expect(await rise()).toEqual({ 'tus_lease_takes_total{from="dead"}': 1 });
  });
});

describe('nothing in the metrics', () => {
  it('tells of a patient, a file, an account or an id, or is a label somebody invented', async () => {
    const name = 'Metricsson^Lotta';
    const upload = await jane.announce({ patientName: name, totalBytes: 1000 });
    const made = await create(
      stack.baseUrl,
      upload.uploadToken,
      { 'upload-length': '1000', 'upload-metadata': `filename ${btoa('Metricsson.dcm')}` },
      randomBytes(1000),
    );
    expect(made.status).toBe(201);
    for (const method of ['PROPFIND', 'MKCOL', 'GET']) {
      await jane.request(method, `/files/Metricsson-${method}`);
      await fetch(`${stack.baseUrl}/Metricsson-${method}`, { method });
    }
    const texts = await Promise.all([textOf(stack.baseUrl), textOf(`http://127.0.0.1:${ports.worker}`)]);
    for (const text of texts) {
      expect(text).not.toMatch(/Metricsson|Lotta|\.dcm/i);
      for (const id of [upload.id, made.file.id, jane.username, stack.dataDir])
        expect(text).not.toContain(id);
      expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/);
      const methods = [...text.matchAll(/method="([^"]*)"/g)].map(([, method]) => method);
      for (const method of methods) expect(METHODS).toContain(method);
      const statuses = [...text.matchAll(/status="([^"]*)"/g)].map(([, status]) => status);
      for (const status of statuses) expect(status).toMatch(/^(\d{3}|[1-5]xx|none)$/);
    }
    expect(texts[0]).toContain('method="other"');
  });
});
