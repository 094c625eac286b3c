import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Upload as TusUpload } from 'tus-js-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { type Caddy, startCaddy } from './support/caddy.js';
import { receivedBytes } from './support/received-bytes.js';
import { type AddedServer, type Stack, startStack } from './support/stack.js';
import { arrived } from './support/tus-requests.js';

const MIB = 1024 * 1024;
/** What was sent this long ago has arrived on a loopback connection. */
const ARRIVED_MS = 100;

let stack: Stack;
/** Two servers of the same database and storage. */
let a: AddedServer;
let b: AddedServer;
let caddy: Caddy;
let jane: ApiClient;

beforeAll(async () => {
  stack = await startStack({ worker: false, env: { TRUST_PROXY: 'loopback', SHUTDOWN_DELAY_SECONDS: '1' } });
  a = { baseUrl: stack.baseUrl, process: stack.server };
  b = await stack.addServer();
  caddy = await startCaddy([a.baseUrl, b.baseUrl]);
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await caddy?.stop();
  await stack?.stop();
});

/** A file under way, as one client sees it. */
interface OpenFile {
  uploadId: string;
  id: string;
  headers: Record<string, string>;
}

async function createFile(size: number): Promise<OpenFile> {
  const upload = await jane.announce({ totalBytes: size });
  const made = await jane.createFile(upload, new Uint8Array(0), 'a', { 'upload-length': String(size) });
  expect(made.status).toBe(201);
  const headers = { authorization: `Bearer ${upload.uploadToken}`, 'tus-resumable': '1.0.0' };
  return { uploadId: upload.id, id: made.headers.get('location')!.split('/').at(-1)!, headers };
}

const PATCH_HEADERS = { 'content-type': 'application/offset+octet-stream' };

async function patch(server: AddedServer, file: OpenFile, offset: number, body: Buffer) {
  const answer = await fetch(`${server.baseUrl}/files/${file.id}`, {
    method: 'PATCH',
    headers: { ...file.headers, ...PATCH_HEADERS, 'upload-offset': String(offset) },
    body: new Uint8Array(body),
  });
  await answer.arrayBuffer();
  return { status: answer.status, offset: Number(answer.headers.get('upload-offset') ?? Number.NaN) };
}

/** Sends the same request until it is taken; a lock that has to run out may answer 423 before. */
async function patchUntilTaken(server: AddedServer, file: OpenFile, offset: number, body: Buffer) {
  const begun = performance.now();
  for (;;) {
    const answer = await patch(server, file, offset, body);
    const ms = performance.now() - begun;
    if (![423, 503].includes(answer.status) || ms > 30_000) return { ...answer, ms };
    await sleep(100);
  }
}

async function head(server: AddedServer, file: OpenFile) {
  const begun = performance.now();
  const answer = await fetch(`${server.baseUrl}/files/${file.id}`, { method: 'HEAD', headers: file.headers });
  const offset = Number(answer.headers.get('upload-offset') ?? Number.NaN);
  return { status: answer.status, offset, ms: performance.now() - begun };
}

/** A PATCH of which the test decides when which bytes leave. */
class RawPatch {
  readonly socket: net.Socket;
  /** Everything that came back. */
  received = '';

  constructor(server: AddedServer, file: OpenFile, offset: number, length: number) {
    const { host, port } = new URL(server.baseUrl);
    this.socket = net.connect(Number(port), '127.0.0.1');
    this.socket.on('error', () => {});
    this.socket.on('data', (data) => {
      this.received += data.toString('latin1');
    });
    const lines = Object.entries({
      ...file.headers,
      ...PATCH_HEADERS,
      host,
      'upload-offset': String(offset),
      'content-length': String(length),
    });
    this.socket.write(
      `PATCH /files/${file.id} HTTP/1.1\r\n${lines.map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`,
    );
  }

  /** Resolves when the bytes are on their way; never fails. */
  write(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve();
      else this.socket.write(bytes, () => resolve());
    });
  }

  get answer() {
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(this.received)?.[1]);
    const offset = Number(/^upload-offset: (\d+)/im.exec(this.received)?.[1]);
    return { status, offset };
  }

  async end(): Promise<void> {
    this.socket.destroy();
    if (!this.socket.closed) await once(this.socket, 'close');
  }
}

describe('two servers behind one address', () => {
  it('take the chunks of one upload in turns', async () => {
    const content = randomBytes(3 * MIB + 17);
    const upload = await jane.announce({ totalBytes: content.length });
    const url = await new Promise<string>((resolve, reject) => {
      const client = new TusUpload(content, {
        endpoint: `${caddy.baseUrl}/files`,
        chunkSize: 256 * 1024,
        headers: { Authorization: `Bearer ${upload.uploadToken}` },
        onSuccess: () => resolve(client.url!),
        onError: reject,
      });
      client.start();
    });
    expect(url.startsWith(`${caddy.baseUrl}/files/`)).toBe(true);
    expect(await jane.upload(upload.id)).toMatchObject({ status: 'received' });
    expect((await receivedBytes(stack, url)).equals(content)).toBe(true);
    const fileId = url.split('/').at(-1)!;
    const patches = (server: AddedServer) =>
      server.process.log.split('\n').filter((line) => line.includes('PATCH') && line.includes(fileId)).length;
    expect([patches(a), patches(b)]).toEqual([expect.any(Number), expect.any(Number)]);
    expect(Math.min(patches(a), patches(b))).toBeGreaterThanOrEqual(6);
  });

  it('let one of two requests for the same offset have it, and keep its bytes alone', async () => {
    const rounds = 60;
    const most = 128 * 1024;
    const file = await createFile(rounds * most);
    const expected: Buffer[] = [];
    const statuses: number[] = [];
    let offset = 0;
    for (let round = 0; round < rounds; round += 1) {
      const bodies = [a, b].map(() => randomBytes(1 + Math.floor(Math.random() * most)));
      const servers = round % 2 === 0 ? [a, b] : [b, a];
      const answers = await Promise.all(servers.map((server, i) => patch(server, file, offset, bodies[i]!)));
      statuses.push(...answers.map(({ status }) => status));
      const winners = answers.filter((answer) => answer.status === 204 && answer.offset > offset);
      expect(winners, `round ${round}: ${JSON.stringify(answers)}`).toHaveLength(1);
      const [winner] = winners;
      const bytes = bodies[answers.indexOf(winner!)]!.subarray(0, winner!.offset - offset);
      expect(bytes.length).toBe(winner!.offset - offset);
      expected.push(bytes);
      offset = winner!.offset;
      expect((await Promise.all([head(a, file), head(b, file)])).map((seen) => seen.offset)).toEqual([
        offset,
        offset,
      ]);
    }
    expect(statuses.filter((status) => ![204, 409, 423].includes(status))).toEqual([]);
    expect((await receivedBytes(stack, file.id)).subarray(0, offset).equals(Buffer.concat(expected))).toBe(
      true,
    );
  });

  it.each([
    ['another server', () => b],
    ['the same server', () => a],
  ])('go on at %s when a connection has gone silent, with every byte that arrived', async (_where, other) => {
    const size = 4 * MIB;
    const file = await createFile(size);
    const first = randomBytes(size);
    const stale = new RawPatch(a, file, 0, size);
    await stale.write(first.subarray(0, 2 * MIB));
    await arrived(stale.socket);

    const seen = await head(other(), file);
    expect(seen).toMatchObject({ status: 200, offset: 2 * MIB });
    // Its silence would end it after twenty seconds.
    expect(seen.ms).toBeLessThan(2000);
    const second = randomBytes(size - seen.offset);
    expect(await patch(other(), file, seen.offset, second.subarray(0, MIB))).toEqual({
      status: 204,
      offset: 3 * MIB,
    });
    // The phone is back on its old connection and sends on.
    await stale.write(first.subarray(2 * MIB));
    await arrived(stale.socket);
    expect((await head(a, file)).offset).toBe(3 * MIB);
    expect(await patch(other(), file, 3 * MIB, second.subarray(MIB))).toEqual({ status: 204, offset: size });
    await stale.end();
    const expected = Buffer.concat([first.subarray(0, 2 * MIB), second]);
    expect((await receivedBytes(stack, file.id)).equals(expected)).toBe(true);
    expect(await jane.upload(file.uploadId)).toMatchObject({ status: 'received' });
  });

  it('take over a file again and again from a client that changes its network', async () => {
    const step = 256 * 1024;
    const size = 20 * step;
    const content = randomBytes(size);
    const file = await createFile(size);
    const stale: RawPatch[] = [];
    const waits: number[] = [];
    for (let offset = 0; offset < size; offset += step) {
      const server = stale.length % 2 === 0 ? a : b;
      const request = new RawPatch(server, file, offset, size - offset);
      await request.write(content.subarray(offset, offset + step));
      await arrived(request.socket);
      const seen = await head(server === a ? b : a, file);
      expect(seen.offset).toBe(offset + step);
      waits.push(seen.ms);
      stale.push(request);
    }
    // One slow answer may be the machine's, half of them are not.
    expect(waits.sort((x, y) => x - y)[waits.length / 2]).toBeLessThanOrEqual(500);
    expect(waits.at(-1)).toBeLessThan(2000);
    await Promise.all(stale.map((request) => request.end()));
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });
});

describe('a server that goes', () => {
  let c: AddedServer;
  beforeEach(async () => {
    c = await stack.addServer();
  });
  afterEach(() => c.process.kill());

  it('loses no acknowledged byte when it is killed, and another takes over within 10 s', async () => {
    const content = randomBytes(4 * MIB);
    const file = await createFile(content.length);
    expect((await patch(c, file, 0, content.subarray(0, MIB))).status).toBe(204);
    const broken = new RawPatch(c, file, MIB, 3 * MIB);
    await broken.write(content.subarray(MIB, 2 * MIB));
    await arrived(broken.socket);
    const killed = performance.now();
    await c.process.kill();
    const seen = await expect
      .poll(() => head(b, file), { timeout: 10_000, interval: 50 })
      .toMatchObject({ status: 200 })
      .then(() => head(b, file));
    expect(seen.offset).toBeGreaterThanOrEqual(MIB);
    const rest = await patchUntilTaken(b, file, seen.offset, content.subarray(seen.offset));
    expect(rest).toMatchObject({ status: 204, offset: content.length });
    expect(performance.now() - killed).toBeLessThan(10_000);
    await broken.end();
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });

  it('tells a slow client how far it came when it is stopped, after it has said that it is not ready', async () => {
    const content = randomBytes(4 * MIB);
    const file = await createFile(content.length);
    const slow = new RawPatch(c, file, 0, content.length);
    let sent = 0;
    const sending = (async () => {
      while (slow.received === '' && !slow.socket.destroyed && sent < content.length) {
        await slow.write(content.subarray(sent, sent + 4096));
        sent += 4096;
        await sleep(20);
      }
    })();
    await expect.poll(() => sent, { timeout: 20_000 }).toBeGreaterThan(40_000);

    const ended = c.process.stop();
    // A load balancer's view, by new connections: not ready comes before not there.
    const probe = async (path: string) =>
      fetch(`${c.baseUrl}${path}`, { headers: { connection: 'close' } }).then(
        ({ status }) => status,
        () => 'refused',
      );
    await expect.poll(() => probe('/readyz'), { interval: 5, timeout: 5000 }).not.toBe(200);
    expect(await probe('/readyz')).toBe(503);
    expect(await probe('/healthz')).toBe(200);

    expect(await ended).toBe(0);
    await sending;
    expect(slow.answer.status).toBe(204);
    const { offset } = slow.answer;
    expect(offset).toBeGreaterThan(40_000);
    expect(offset).toBeLessThanOrEqual(sent);
    expect(await head(b, file)).toMatchObject({ status: 200, offset });
    expect((await patch(b, file, offset, content.subarray(offset))).status).toBe(204);
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });

  it('cannot write when it was frozen and another has taken over; waiting for it costs next to nothing', async () => {
    const content = randomBytes(2 * MIB);
    const file = await createFile(content.length);
    const frozen = new RawPatch(c, file, 0, content.length);
    await frozen.write(content.subarray(0, MIB));
    await arrived(frozen.socket);
    process.kill(c.process.pid, 'SIGSTOP');
    try {
      // What is already in its socket is the first it will read when it wakes up.
      await Promise.race([frozen.write(randomBytes(MIB / 2)), sleep(ARRIVED_MS)]);
      const [before, begun] = [await cpuSeconds(b.process.pid), performance.now()];
      const taken = await patchUntilFree(file, content);
      const seconds = (performance.now() - begun) / 1000;
      const used = (await cpuSeconds(b.process.pid)) - before;
      expect(taken.status).toBe(204);
      // The requests themselves, then a tenth of a core.
      expect(used).toBeLessThan(0.15 + seconds * 0.1);
    } finally {
      process.kill(c.process.pid, 'SIGCONT');
    }
    await expect.poll(async () => (await fetch(`${c.baseUrl}/healthz`)).status).toBe(200);
    await frozen.write(randomBytes(MIB / 2));
    await expect.poll(() => frozen.socket.closed || frozen.received !== '', { timeout: 5000 }).toBe(true);
    // It may still own up to what it had before, and to nothing after.
    expect(frozen.answer.status === 204 ? frozen.answer.offset : 0).toBeLessThanOrEqual(MIB);
    await frozen.end();
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
    expect(await jane.upload(file.uploadId)).toMatchObject({ status: 'received' });
  });

  /** Asks the other server for the offset until it has the file, then sends the rest. */
  async function patchUntilFree(file: OpenFile, content: Buffer) {
    for (const begun = performance.now(); performance.now() - begun < 30_000; await sleep(100)) {
      const seen = await head(b, file);
      if (seen.status === 200) {
        const answer = await patch(b, file, seen.offset, content.subarray(seen.offset));
        if (answer.status !== 423 && answer.status !== 503) return answer;
      }
    }
    throw new Error('The file was not given free within 30 s');
  }
});

/** User and system time a process has used so far, in seconds (proc(5); 100 ticks a second). */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
