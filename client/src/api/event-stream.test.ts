import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openEventStream } from './event-stream.js';
import { Network } from './network.js';

let connections: Array<{ response: ServerResponse; lastEventId: string | undefined }>;
let happened: string[];
let network: Network;
let stream: { close(): void };
let status: number;

const http = createServer((request, response) => {
  response.writeHead(status, { 'Content-Type': 'text/event-stream' });
  response.flushHeaders();
  connections.push({ response, lastEventId: request.headers['last-event-id'] as string | undefined });
});

beforeEach(async () => {
  connections = [];
  happened = [];
  status = 200;
  network = new Network(true);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  stream.close();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
});

function open(silenceMs?: number): void {
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/api/v1/events`;
  stream = openEventStream({
    open: async (headers, signal) => {
      const response = await fetch(url, { headers, signal });
      if (!response.ok) throw new Error(String(response.status));
      return response;
    },
    onUpload: (event) => happened.push(`${event.uploadId} ${event.status}`),
    onOpen: () => happened.push('open'),
    onDown: () => happened.push('down'),
    network,
    firstDelayMs: 2,
    ...(silenceMs === undefined ? {} : { silenceMs }),
  });
}

const until = (condition: () => void) => vi.waitFor(condition, { timeout: 5_000, interval: 5 });
const upload = (id: string, state: string) =>
  `event: upload\ndata: ${JSON.stringify({ type: 'upload', uploadId: id, userId: 'u', status: state })}\n\n`;

it('reads events however they are cut into pieces', async () => {
  open();
  await until(() => expect(connections).toHaveLength(1));
  const bytes = Buffer.from(`:hello\n\n${upload('a', 'received')}${upload('b', 'delivered')}`);
  for (const byte of bytes) connections[0]!.response.write(Buffer.from([byte]));
  await until(() => expect(happened).toEqual(['open', 'a received', 'b delivered']));
});

it('passes over events it does not know and data it cannot read', async () => {
  open();
  await until(() => expect(connections).toHaveLength(1));
  connections[0]!.response.write(
    `event: report\ndata: {}\n\nevent: upload\ndata: {"uploadId":\n\nevent: upload\ndata: null\n\n${upload('a', 'failed')}`,
  );
  await until(() => expect(happened).toEqual(['open', 'a failed']));
});

it('opens the stream again when it ends, naming the last event it has seen', async () => {
  open();
  await until(() => expect(connections).toHaveLength(1));
  connections[0]!.response.write(`id: 41\n${upload('a', 'received')}`);
  await until(() => expect(happened).toContain('a received'));
  connections[0]!.response.destroy();
  await until(() => expect(connections).toHaveLength(2));
  expect(connections[1]!.lastEventId).toBe('41');
  await until(() => expect(happened).toEqual(['open', 'a received', 'down', 'open']));
});

it('takes a connection for dead when even the heartbeat stops', async () => {
  open(1000);
  await until(() => expect(connections).toHaveLength(1));
  const heartbeat = setInterval(() => connections[0]!.response.write(':\n\n'), 20);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  expect(happened).toEqual(['open']);
  clearInterval(heartbeat);
  await until(() => expect(connections).toHaveLength(2));
  expect(happened.slice(0, 2)).toEqual(['open', 'down']);
});

it('keeps trying while the server refuses', async () => {
  status = 503;
  open();
  await until(() => expect(connections.length).toBeGreaterThan(2));
  status = 200;
  await until(() => expect(happened).toContain('open'));
});

it('does not knock while there is no network, and comes back at once when there is', async () => {
  open();
  await until(() => expect(connections).toHaveLength(1));
  network.change(false);
  connections[0]!.response.destroy();
  await until(() => expect(happened).toContain('down'));
  // Long past the first delay of 2 ms.
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(connections).toHaveLength(1);
  network.change(true);
  await until(() => expect(connections).toHaveLength(2));
});

it('closes for good', async () => {
  open();
  await until(() => expect(happened).toEqual(['open']));
  const ended = new Promise((resolve) => connections[0]!.response.on('close', resolve));
  stream.close();
  await ended;
  // A later stream is there before it: so the closed one did not come back.
  open();
  await until(() => expect(happened).toEqual(['open', 'open']));
  expect(connections).toHaveLength(2);
});
