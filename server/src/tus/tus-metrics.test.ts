import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { Metrics } from '@relaypacs/core/observability/metrics.js';
import express from 'express';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TusMetrics } from './tus-metrics.js';

let metrics: Metrics;
let tus: TusMetrics;
let server: http.Server;
let port: number;

beforeEach(async () => {
  metrics = new Metrics();
  tus = new TusMetrics(metrics, { openResources: 7 });
  const app = express();
  app.use(tus.count, (req, res) => {
    if (req.path === '/silent') return;
    if (req.path === '/override') req.method = 'PATCH';
    res.status(204).end();
  });
  server = http.createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const send = (method: string, path = '/') => fetch(`http://127.0.0.1:${port}${path}`, { method });
const lines = async (name: string) =>
  (await metrics.text()).split('\n').filter((line) => line.startsWith(`relaypacs_tus_${name}`));

describe('the metrics of the tus endpoint', () => {
  it('count requests by the method that was meant, and invented ones as one', async () => {
    await send('PATCH');
    await send('POST', '/override');
    for (const method of ['PROPFIND', 'MKCOL', 'LINK']) await send(method);
    await expect
      .poll(() => lines('requests_total'))
      .toEqual([
        'relaypacs_tus_requests_total{method="PATCH",status="204"} 2',
        'relaypacs_tus_requests_total{method="other",status="204"} 3',
      ]);
    expect(await lines('request_duration_seconds_count')).toEqual([
      'relaypacs_tus_request_duration_seconds_count{method="PATCH"} 2',
      'relaypacs_tus_request_duration_seconds_count{method="other"} 3',
    ]);
  });

  it('count a request whose client was gone before its answer', async () => {
    const socket = net.connect(port, '127.0.0.1');
    socket.write('PATCH /silent HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n');
    await once(server, 'request');
    socket.destroy();
    await expect
      .poll(() => lines('requests_total'))
      .toEqual(['relaypacs_tus_requests_total{method="PATCH",status="none"} 1']);
  });

  it('are there from the start, at 0, so that a first event is seen as a rise', async () => {
    const ends = ['complete', 'broken', 'stopped', 'idle', 'refused'];
    expect(await lines('body_ends_total')).toEqual(
      ends.map((end) => `relaypacs_tus_body_ends_total{end="${end}"} 0`),
    );
    expect(await lines('lease_takes_total')).toHaveLength(4);
    expect(await lines('paced_total')).toHaveLength(2);
    expect(await lines('checksum_mismatches_total')).toEqual(['relaypacs_tus_checksum_mismatches_total 0']);
    expect(await lines('open_files')).toEqual(['relaypacs_tus_open_files 7']);
  });

  it('count what came of a body and how it ended', async () => {
    tus.bodyRead({ received: 1000, ending: 'broken' });
    tus.bodyRead({ received: 24, ending: undefined });
    expect(await lines('received_bytes_total')).toEqual(['relaypacs_tus_received_bytes_total 1024']);
    expect(await lines('body_ends_total')).toEqual(
      expect.arrayContaining([
        'relaypacs_tus_body_ends_total{end="broken"} 1',
        'relaypacs_tus_body_ends_total{end="refused"} 1',
      ]),
    );
  });
});
