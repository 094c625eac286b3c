import { randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { receivedBytes } from './support/received-bytes.js';
import { type Stack, startStack } from './support/stack.js';
import { beginFile, head, patch, RawPatch, sendRest } from './support/tus-requests.js';

const MIB = 1024 * 1024;

let stack: Stack;
let jane: ApiClient;

beforeAll(async () => {
  stack = await startStack({ worker: false });
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(() => stack?.stop());

/** Sends a body bit by bit until it is answered, broken or at its end. */
async function drip(request: RawPatch, content: Buffer, step: number): Promise<void> {
  for (let at = 0; at < content.length; at += step) {
    if (request.socket.destroyed || !Number.isNaN(request.answer.status)) return;
    await request.write(content.subarray(at, at + step));
    await sleep(5);
  }
}

/** What lies in the storage of a file, acknowledged or not. */
async function writtenBytes(id: string): Promise<number> {
  const folder = path.join(stack.dataDir, 'storage');
  const own = (await readdir(folder)).filter((name) => name.startsWith(id));
  const sizes = await Promise.all(own.map(async (name) => (await stat(path.join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Whatever the disk is told, a process that dies has lost nothing it acknowledged. */
describe.each(['0', '1'])('a server with STORAGE_FSYNC=%s', (fsync) => {
  it('that is killed again and again loses no acknowledged byte, and goes on at once', async () => {
    const server = await stack.addServer({ STORAGE_FSYNC: fsync });
    const content = randomBytes(16 * MIB);
    const own = await beginFile(jane, content.length);
    const file = { ...own, url: `${server.baseUrl}/files/${own.id}` };
    let acknowledged = 0;
    const waits: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const sending = (async () => {
        for (;;) {
          const end = Math.min(content.length, acknowledged + 1 + Math.floor(Math.random() * 40_000));
          const sent = await patch(file, acknowledged, content.subarray(acknowledged, end)).catch(
            () => undefined,
          );
          if (sent?.status !== 204) return sent?.status;
          acknowledged = sent.offset;
        }
      })();
      await sleep(50 + Math.random() * 250);
      await server.process.kill();
      expect(await sending).toBeUndefined();
      await server.process.start();
      const seen = await head(file);
      waits.push(seen.ms);
      expect(seen.status).toBe(200);
      expect(seen.offset).toBeGreaterThanOrEqual(acknowledged);
      acknowledged = seen.offset;
      const stored = await receivedBytes(stack, file.id);
      expect(stored.equals(content.subarray(0, acknowledged)), `round ${round}`).toBe(true);
      const next = await patch(file, acknowledged, content.subarray(acknowledged, acknowledged + 1000));
      expect(next).toMatchObject({ status: 204, offset: acknowledged + 1000 });
      waits.push(next.ms);
      acknowledged = next.offset;
    }
    // The lease of the dead holds nobody up: it would each time. One slow answer may be the machine's.
    expect(waits.sort((x, y) => x - y)[waits.length / 2]).toBeLessThan(1000);
    expect(await sendRest(file, content)).toBe(content.length);
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
    await server.process.stop();
  });
});

describe('a server that is asked to stop', () => {
  it('tells a client in the middle of a body how far it came, and ends with success soon', async () => {
    const server = await stack.addServer();
    const content = randomBytes(4 * MIB);
    const own = await beginFile(jane, content.length);
    const file = { ...own, url: `${server.baseUrl}/files/${own.id}` };
    const request = new RawPatch(file, 0, content.length);
    const sending = drip(request, content, 4096);
    // In the middle of the body: some of it is written, most has not come.
    await expect.poll(() => writtenBytes(file.id)).toBeGreaterThan(0);
    const begun = performance.now();
    const ended = server.process.stop();
    await expect.poll(() => request.answer.status).toBe(204);
    const { offset, closes } = request.answer;
    expect(closes).toBe(true);
    await sending;
    expect(await ended).toBe(0);
    // Sooner than connections are cut that do not end by themselves.
    expect(performance.now() - begun).toBeLessThan(8000);
    // Exactly what it has owned up to is there, on any server.
    expect(offset).toBeGreaterThan(0);
    expect((await head(own)).offset).toBe(offset);
    expect((await receivedBytes(stack, own.id)).equals(content.subarray(0, offset))).toBe(true);
    expect((await patch(own, offset, content.subarray(offset))).status).toBe(204);
  });
});

describe('a database that is restarted in the middle of a body', () => {
  it.each(['SIGINT', 'SIGQUIT', 'SIGKILL'] as const)('by %s costs a retry and no byte', async (signal) => {
    const content = randomBytes(2 * MIB);
    const file = await beginFile(jane, content.length);
    expect((await patch(file, 0, content.subarray(0, 1000))).status).toBe(204);
    const request = new RawPatch(file, 1000, content.length - 1000);
    await request.write(content.subarray(1000, MIB));
    const { pid } = stack.postgres;
    const asked: number[] = [];
    const begun = performance.now();
    process.kill(pid, signal);
    await request.write(content.subarray(MIB));
    while (stack.postgres.pid === pid || asked.at(-1) !== 200) {
      asked.push((await jane.get(`/api/v1/uploads/${file.uploadId}`)).status);
      expect([200, 503]).toContain(asked.at(-1));
      expect(performance.now() - begun).toBeLessThan(30_000);
    }
    await expect.poll(() => request.answer.status, { timeout: 10_000 }).toBeGreaterThan(0);
    expect([204, 423, 503]).toContain(request.answer.status);
    request.drop();
    expect(await sendRest(file, content)).toBe(content.length);
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
    await expect.poll(async () => (await jane.upload(file.uploadId)).status).toBe('received');
  });
});
