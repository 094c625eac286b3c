import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LENT_BYTES } from '@relaypacs/core/storage/object-storage.js';
import { afterEach, expect, it } from 'vitest';
import { readText } from './answer-text.js';
import { exchange, PACS } from './http-exchange.js';

const CHUNKS = 24;

let server: http.Server;
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

async function listen(answer: http.RequestListener): Promise<URL> {
  server = http.createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

/** Chunks in one and the same memory, which is filled anew as soon as the next one is asked for. */
async function* lent(size: number, onEnd = () => {}): AsyncGenerator<Uint8Array> {
  const memory = Buffer.alloc(size);
  try {
    for (let i = 0; i < CHUNKS; i += 1) {
      yield memory.fill(i);
      memory.fill(255);
      yield Buffer.from('between');
    }
  } finally {
    onEnd();
  }
}

function post(url: URL, agent: http.Agent, size: number, chunks: AsyncIterable<Uint8Array>) {
  return exchange(
    {
      method: 'POST',
      url,
      headers: {},
      agent,
      peer: PACS,
      timeouts: { connectMs: 5000, silenceMs: 5000 },
      signal: new AbortController().signal,
      body: { length: CHUNKS * (size + 'between'.length), chunks },
    },
    (response: IncomingMessage) => readText(response, 1000),
  );
}

it.each([
  ['as Node makes it', 16 * 1024],
  ['large', 64 * 1024 * 1024],
])(
  'has sent a chunk that is lent before it asks for the next one, with a queue %s',
  async (_size, highWaterMark) => {
    const size = 4 * LENT_BYTES;
    const url = await listen(async (request, response) => {
      const hash = createHash('sha256');
      for await (const chunk of request) {
        hash.update(chunk);
        await sleep(1);
      }
      response.end(hash.digest('hex'));
    });
    const expected = createHash('sha256');
    for (let i = 0; i < CHUNKS; i += 1) expected.update(Buffer.alloc(size, i)).update('between');
    const agent = new http.Agent({ highWaterMark } as http.AgentOptions);
    expect(await post(url, agent, size, lent(size))).toBe(expected.digest('hex'));
    agent.destroy();
  },
);

it('ends a body of lent chunks when the answer comes before it was read', async () => {
  const size = 8 * LENT_BYTES;
  const url = await listen((_request, response) => {
    response.writeHead(413).end('too large');
  });
  let ended = false;
  const agent = new http.Agent();
  const chunks = lent(size, () => {
    ended = true;
  });
  expect(await post(url, agent, size, chunks)).toBe('too large');
  await expect.poll(() => ended).toBe(true);
  agent.destroy();
});
