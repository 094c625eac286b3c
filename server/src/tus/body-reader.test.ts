import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BodyReader } from './body-reader.js';

const IDLE_MS = 300;
const MIB = 1024 * 1024;

let server: http.Server;
let receive: (reader: BodyReader, req: IncomingMessage) => void;
const sockets = new Set<net.Socket>();

beforeAll(async () => {
  server = http.createServer((req, res) => {
    const reader = new BodyReader(req, IDLE_MS);
    receive(reader, req);
    res.on('error', () => {});
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

/** A connection that has sent the head of a request, and the server's reader of its body. */
async function open(framing: string) {
  const arrived = new Promise<{ reader: BodyReader; req: IncomingMessage }>((resolve) => {
    receive = (reader, req) => resolve({ reader, req });
  });
  const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.add(socket);
  socket.on('error', () => {});
  socket.write(`PATCH / HTTP/1.1\r\nhost: a\r\n${framing}\r\n\r\n`);
  return { socket, ...(await arrived) };
}

/** Reads to the end. */
async function readAll(reader: BodyReader): Promise<Buffer> {
  const all: Buffer[] = [];
  for (let batch = await reader.next(); batch; batch = await reader.next()) {
    expect(batch.length).toBeGreaterThan(0);
    all.push(...batch);
  }
  return Buffer.concat(all);
}

const numbered = (length: number) => Buffer.from(Array.from({ length }, (_, i) => i % 251));

describe('a body', () => {
  it('is complete with its last byte', async () => {
    const content = numbered(300_000);
    const { socket, reader } = await open(`content-length: ${content.length}`);
    expect(reader.ending).toBeUndefined();
    socket.write(content);
    expect((await readAll(reader)).equals(content)).toBe(true);
    expect(reader.ending).toBe('complete');
  });

  it('may be of unknown length', async () => {
    const { socket, reader } = await open('transfer-encoding: chunked');
    socket.write('3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n');
    expect((await readAll(reader)).toString()).toBe('abcdefg');
    expect(reader.ending).toBe('complete');
  });

  it('may have no bytes', async () => {
    for (const framing of ['content-length: 0', 'x: without']) {
      const { reader } = await open(framing);
      expect(await readAll(reader)).toHaveLength(0);
      expect(reader.ending).toBe('complete');
    }
  });

  it('may be there before anybody reads it', async () => {
    const { socket, reader } = await open('content-length: 5');
    socket.write('hello');
    await sleep(50);
    expect((await readAll(reader)).toString()).toBe('hello');
    expect(reader.ending).toBe('complete');
  });

  it.each(['content-length: 100', 'transfer-encoding: chunked'])(
    'that breaks off hands out what came before (%s)',
    async (framing) => {
      const { socket, reader } = await open(framing);
      const reading = readAll(reader);
      socket.end(framing.endsWith('chunked') ? 'a\r\n0123456789\r\n' : '0123456789');
      expect((await reading).toString()).toBe('0123456789');
      expect(reader.ending).toBe('broken');
    },
  );

  it('that breaks off while its reader is busy keeps what came meanwhile', async () => {
    const { socket, reader, req } = await open('content-length: 100');
    socket.write('01234');
    expect(Buffer.concat((await reader.next())!).toString()).toBe('01234');
    const closed = new Promise((resolve) => req.on('close', resolve));
    socket.end('56789');
    await closed;
    expect(reader.ending).toBe('broken');
    expect((await readAll(reader)).toString()).toBe('56789');
  });

  it('that breaks off without a word, while nothing is being read, has ended all the same', async () => {
    const { socket, reader, req } = await open('content-length: 100');
    const closed = new Promise((resolve) => req.on('close', resolve));
    socket.resetAndDestroy();
    await closed;
    expect(await reader.next()).toBeUndefined();
    expect(reader.ending).toBe('broken');
  });

  it('stays whole when its connection breaks afterwards', async () => {
    const { socket, reader, req } = await open('content-length: 3');
    socket.write('abc');
    await readAll(reader);
    const closed = new Promise((resolve) => req.socket.on('close', resolve));
    socket.resetAndDestroy();
    await closed;
    expect(reader.ending).toBe('complete');
  });
});

describe('a body that is stopped', () => {
  it('ends soon, with what had arrived', async () => {
    const { socket, reader } = await open('content-length: 100');
    const reading = readAll(reader);
    await new Promise<void>((resolve) => socket.write('0123456789', () => resolve()));
    const begun = performance.now();
    reader.stop();
    expect((await reading).toString()).toBe('0123456789');
    expect(performance.now() - begun).toBeLessThan(200);
    expect(reader.ending).toBe('stopped');
  });

  it('is not read at all when nobody had begun', async () => {
    const { socket, reader } = await open('content-length: 10');
    socket.write('0123456789');
    reader.stop();
    expect(await reader.next()).toBeUndefined();
    expect(reader.ending).toBe('stopped');
  });

  it('is complete when its last byte comes at that moment', async () => {
    const { socket, reader } = await open('content-length: 10');
    const reading = readAll(reader);
    socket.write('01234');
    reader.stop();
    socket.write('56789');
    expect((await reading).toString()).toBe('0123456789');
    expect(reader.ending).toBe('complete');
  });

  it('gives what lies in front of a slow writer, too', async () => {
    const { socket, reader, req } = await open(`content-length: ${5 * MIB}`);
    socket.write(Buffer.alloc(4 * MIB));
    const first = await reader.next();
    await expect.poll(() => req.isPaused()).toBe(true);
    reader.stop();
    const rest = await readAll(reader);
    expect(reader.ending).toBe('stopped');
    expect(first!.concat(rest).reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(MIB / 2);
  });
});

describe('a body that comes slowly', () => {
  it('ends when nothing has come for the idle time', async () => {
    const { socket, reader } = await open('content-length: 100');
    socket.write('01234');
    const begun = performance.now();
    expect((await readAll(reader)).toString()).toBe('01234');
    expect(reader.ending).toBe('idle');
    const took = performance.now() - begun;
    expect(took).toBeGreaterThan(IDLE_MS - 50);
    expect(took).toBeLessThan(IDLE_MS + 300);
  });

  it('ends when nothing comes at all', async () => {
    const { reader } = await open('content-length: 100');
    expect(await reader.next()).toBeUndefined();
    expect(reader.ending).toBe('idle');
  });

  it('may take as long as it likes while it moves', async () => {
    const { socket, reader } = await open('content-length: 12');
    const reading = readAll(reader);
    for (let i = 0; i < 12; i += 1) {
      await sleep(IDLE_MS / 3);
      socket.write('x');
    }
    expect(await reading).toHaveLength(12);
    expect(reader.ending).toBe('complete');
  });

  it('is not called idle while the reader is the slow one', async () => {
    const content = numbered(2 * MIB);
    const { socket, reader } = await open(`content-length: ${content.length}`);
    socket.write(content);
    const first = await reader.next();
    await sleep(3 * IDLE_MS);
    expect(reader.ending).toBeUndefined();
    expect(Buffer.concat([...first!, await readAll(reader)]).equals(content)).toBe(true);
    expect(reader.ending).toBe('complete');
  });
});

describe('a slow reader', () => {
  it('holds the sender back: what lies in memory is bounded', async () => {
    const total = 64 * MIB;
    const { socket, reader, req } = await open(`content-length: ${total}`);
    const block = Buffer.alloc(MIB, 7);
    const sending = (async () => {
      for (let sent = 0; sent < total; sent += block.length)
        if (!socket.write(block)) await once(socket, 'drain');
    })();
    let received = 0;
    let largest = 0;
    for (let round = 0; round < 20; round += 1) {
      const batch = await reader.next();
      const length = batch!.reduce((sum, chunk) => sum + chunk.length, 0);
      received += length;
      largest = Math.max(largest, length);
      await expect.poll(() => req.isPaused(), { interval: 2 }).toBe(true);
    }
    // Half a MiB, and the last read of the connection that went beyond it.
    expect(largest).toBeLessThanOrEqual(MIB / 2 + 64 * 1024);
    expect(socket.bytesWritten - received).toBeLessThan(32 * MIB);
    expect(received + (await readAll(reader)).length).toBe(total);
    await sending;
    expect(reader.ending).toBe('complete');
  });
});
