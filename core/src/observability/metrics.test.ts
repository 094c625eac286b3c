import { afterEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../config.js';
import { createLogger } from './logger.js';
import { Metrics } from './metrics.js';
import { bearsToken } from './metrics-access.js';
import { type MetricsServer, serveMetrics } from './metrics-server.js';

const TOKEN = 'a-token-for-prometheus';

describe('the metrics of a process', () => {
  it('hold what was counted and the state of the process, under one prefix', async () => {
    const metrics = new Metrics();
    const chunks = metrics.counter({ name: 'chunks_total', help: 'Chunks', labels: ['end'] });
    chunks.inc({ end: 'complete' }, 2);
    let open = 3;
    metrics.gauge({ name: 'open_files', help: 'Open files' }, () => open);
    metrics.histogram({ name: 'wait_seconds', help: 'Waits' }, [0.1, 1]).observe(0.5);
    const text = await metrics.text();
    expect(text).toContain('relaypacs_chunks_total{end="complete"} 2');
    expect(text).toContain('relaypacs_open_files 3');
    expect(text).toContain('relaypacs_wait_seconds_bucket{le="1"} 1');
    expect(text).toMatch(/^relaypacs_process_resident_memory_bytes \d+$/m);
    expect(text.split('\n').filter((line) => !/^(relaypacs_|# (HELP|TYPE) relaypacs_|$)/.test(line))).toEqual(
      [],
    );
    open = 4;
    expect(await metrics.text()).toContain('relaypacs_open_files 4');
  });

  it('of two are apart, as in the tests of one process', async () => {
    const [one, other] = [new Metrics(), new Metrics()];
    one.counter({ name: 'a_total', help: 'A' }).inc();
    other.counter({ name: 'a_total', help: 'A' });
    expect(await one.text()).toContain('relaypacs_a_total 1');
    expect(await other.text()).toContain('relaypacs_a_total 0');
  });

  it('refuse a label that was not announced', () => {
    const counter = new Metrics().counter({ name: 'a_total', help: 'A', labels: ['end'] });
    // @ts-expect-error: the compiler says so as well
    expect(() => counter.inc({ patient: 'Doe^Jane' })).toThrow();
  });
});

describe('the token of the metrics', () => {
  it.each([
    undefined,
    '',
    TOKEN,
    'Bearer',
    'Bearer ',
    `Basic ${TOKEN}`,
    `Bearer ${TOKEN}x`,
    `Bearer x ${TOKEN}`,
  ])('is not borne by %j', (header) => {
    expect(bearsToken(header, TOKEN)).toBe(false);
  });

  it.each([`Bearer ${TOKEN}`, `bearer  ${TOKEN}`])('is borne by %j', (header) => {
    expect(bearsToken(header, TOKEN)).toBe(true);
  });
});

describe('the port of the metrics', () => {
  let server: MetricsServer | undefined;
  afterEach(() => server?.close());

  async function serve(env: Record<string, string> = {}) {
    const config = loadConfig({ DATABASE_URL: 'postgres://u:p@127.0.0.1:5432/d', ...env });
    server = await serveMetrics({ metrics: new Metrics(), config, logger: createLogger('test', 'error') }, 0);
    const address = server?.address;
    return (path: string, init: RequestInit = {}) => fetch(`${address}${path}`, init);
  }

  it('answers whoever reaches it, with metrics alone', async () => {
    const ask = await serve();
    const answer = await ask('/metrics');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await answer.text()).toContain('relaypacs_process_cpu_seconds_total');
    expect((await ask('/metrics?name[]=a')).status).toBe(200);
    expect((await ask('/')).status).toBe(404);
    expect((await ask('/metricsx')).status).toBe(404);
    expect((await ask('/metrics', { method: 'POST', body: 'x' })).status).toBe(405);
  });

  it('asks for the token where there is one', async () => {
    const ask = await serve({ METRICS_TOKEN: TOKEN });
    const refused = await ask('/metrics');
    expect(refused.status).toBe(401);
    expect(await refused.text()).not.toContain('relaypacs_');
    const answer = await ask('/metrics', { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(answer.status).toBe(200);
  });

  it('that is taken fails the start', async () => {
    await serve();
    const port = Number(new URL(server!.address).port);
    const config = loadConfig({ DATABASE_URL: 'postgres://u:p@127.0.0.1:5432/d' });
    const another = serveMetrics(
      { metrics: new Metrics(), config, logger: createLogger('test', 'error') },
      port,
    );
    await expect(another).rejects.toThrow('EADDRINUSE');
  });
});
