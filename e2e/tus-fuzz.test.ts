import { spawnSync } from 'node:child_process';
import {
  createHmac,
  createPrivateKey,
  createSign,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { ProblemSchema } from '@relaypacs/core/contract/problem.js';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { type FuzzAnswer, FuzzConnection, serialize } from './support/fuzz-connection.js';
import { type FuzzRequest, type FuzzWorld, makeRequest, Random } from './support/fuzz-requests.js';
import { receivedBytes } from './support/received-bytes.js';
import { type Stack, startStack } from './support/stack.js';

const SEED = Number(process.env.RELAYPACS_TEST_SEED ?? 20_261_122);
/** Until the heap has found its size; then it must keep it. */
const WARM_UP = 6000;
const REQUESTS = 10_000;
const LANES = 16;
const MOST_FILES = 60;
const MIB = 1024 * 1024;

let stack: Stack;
let jane: ApiClient;
let world: FuzzWorld;

beforeAll(async () => {
  // What a request leaves behind in the heap would end the server well before the last one.
  stack = await startStack({ worker: false, env: { NODE_OPTIONS: '--max-old-space-size=128' } });
  jane = await ApiClient.signUp(stack.baseUrl);
  const other = await ApiClient.signUp(stack.baseUrl);
  const announced = await Promise.all(
    Array.from({ length: 40 }, () => jane.announce({ fileCount: 1000, totalBytes: 20 * MIB })),
  );
  const uploads = announced.map(({ id, uploadToken }) => ({ id, token: uploadToken }));
  const foreign = await other.announce();
  const badTokens = await forgeTokens(uploads[0]!.token);
  world = {
    files: [],
    uploads: [
      ...uploads,
      { id: foreign.id, token: jane.token! },
      { id: uploads[0]!.id, token: other.token! },
    ],
    badTokens: [...badTokens, foreign.uploadToken],
  };
});
afterAll(() => stack?.stop());

/** Tokens that look like this one: expired, for somebody else, signed by nobody or with the wrong key. */
async function forgeTokens(token: string): Promise<string[]> {
  const folder = path.join(stack.dataDir, 'keys');
  const texts = await Promise.all(
    (await readdir(folder)).map((name) => readFile(path.join(folder, name), 'utf8')),
  );
  const own = createPrivateKey(texts.find((text) => text.includes('PRIVATE KEY'))!);
  const strange = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const [header = '', payload = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const sign = (head: string, body: string, key: KeyObject) =>
    `${head}.${body}.${createSign('RSA-SHA256').update(`${head}.${body}`).sign(key, 'base64url')}`;
  const hmac = encode({ alg: 'HS256', typ: 'JWT' });
  return [
    sign(header, encode({ ...claims, exp: 1_000_000 }), own),
    sign(header, encode({ ...claims, nbf: 4_000_000_000 }), own),
    sign(header, encode({ ...claims, aud: 'relaypacs:other' }), own),
    sign(header, encode({ ...claims, sub: 'nobody' }), own),
    sign(header, encode({ ...claims, uploadId: { a: 1 } }), own),
    sign(header, payload, strange),
    `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
    `${hmac}.${payload}.${createHmac('sha256', texts[0]!).update(`${hmac}.${payload}`).digest('base64url')}`,
    `${header}.${encode({ ...claims, sub: claims.uploadId })}.${token.split('.')[2]}`,
    `${token}x`,
    'a.b.c',
    'x'.repeat(6000),
  ];
}

/** What is wrong with an answer; undefined when nothing is. */
function faultOf(request: FuzzRequest, answer: FuzzAnswer | undefined): string | undefined {
  if (!answer) return request.broken ? undefined : 'no answer';
  const { status, headers, body } = answer;
  if (!(status >= 200 && status < 600)) return 'no status';
  if (status >= 500 && status !== 503) return `status ${status}`;
  if (/node_modules|\.js:\d+|select |insert into|DATA_DIR|relaypacs e2e-/i.test(body))
    return 'tells its inside';
  if (status < 400) return undefined;
  if (!headers.get('content-type')?.startsWith('application/problem+json')) return 'no problem document';
  if (!headers.has('x-request-id')) return 'no request id';
  if (request.method === 'HEAD') return undefined;
  try {
    const problem = ProblemSchema.parse(JSON.parse(body));
    return problem.status === status ? undefined : 'another status in the problem';
  } catch {
    return 'a problem document that is none';
  }
}

/** Keeps what the answers tell, so that the requests stay near what is there. */
function learn(request: FuzzRequest, answer: FuzzAnswer): void {
  const location = answer.headers.get('location');
  const offset = Number(answer.headers.get('upload-offset') ?? Number.NaN);
  if (answer.status === 201 && location) {
    const size = Number(request.headers.find(([name]) => name === 'upload-length')?.[1] ?? 1000);
    const file = {
      path: new URL(location, stack.baseUrl).pathname,
      token: request.token,
      offset: offset || 0,
      size,
    };
    if (world.files.length < MOST_FILES) world.files.push(file);
    else world.files[Math.floor(Math.random() * MOST_FILES)] = file;
  }
  if (!request.file) return;
  if (answer.status < 300 && Number.isInteger(offset)) request.file.offset = offset;
  const gone = answer.status === 404 || answer.status === 410 || request.method === 'DELETE';
  if (gone) world.files = world.files.filter((file) => file !== request.file);
}

/** A request short enough to be read: tokens and long values are cut. */
function shown(bytes: Buffer): string {
  const text = bytes
    .subarray(0, 20_000)
    .toString('latin1')
    .replace(/(Bearer .{12}|(.)\2{20})\S*/g, '$1…');
  return JSON.stringify(text.slice(0, 700));
}

interface Outcome {
  faults: string[];
  statuses: Map<string, number>;
}

async function fuzz(from: number, to: number): Promise<Outcome> {
  const outcome: Outcome = { faults: [], statuses: new Map() };
  const port = Number(new URL(stack.baseUrl).port);
  let next = from;
  const lane = async () => {
    const connection = new FuzzConnection(port);
    while (next < to && outcome.faults.length < 10) {
      const index = next;
      next += 1;
      const random = new Random(SEED * 100_003 + index);
      const request = makeRequest(random, world);
      const bytes = serialize(request, random);
      const answer = await connection.send(bytes, request);
      const fault = faultOf(request, answer);
      if (fault !== undefined) {
        outcome.faults.push(
          `request ${index}: ${fault}\n${shown(bytes)}\n→ ${answer?.status} ${answer?.body}`,
        );
      }
      if (answer) learn(request, answer);
      const key = `${request.method} ${request.broken ? 'broken ' : ''}${answer?.status ?? 'closed'}`;
      outcome.statuses.set(key, (outcome.statuses.get(key) ?? 0) + 1);
    }
    await connection.close();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return outcome;
}

async function residentMib(): Promise<number> {
  const status = await readFile(`/proc/${stack.server.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

const openFiles = async () => (await readdir(`/proc/${stack.server.pid}/fd`)).length;

/** Files below the data folder that are neither the database's nor a log. */
async function dataFiles(): Promise<string[]> {
  const entries = await readdir(stack.dataDir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(stack.dataDir, path.join(entry.parentPath, entry.name)))
    .filter((name) => !/^postgres|\.log$/.test(name));
}

/** Files in the storage that no row knows. */
async function strayObjects(): Promise<string[]> {
  const database = new pg.Client({ connectionString: stack.databaseUrl });
  await database.connect();
  const { rows } = await database.query<{ key: string }>('SELECT key FROM file_segments');
  await database.end();
  const known = new Set(rows.map(({ key }) => path.join('storage', key)));
  return (await dataFiles()).filter((name) => name.startsWith('storage') && !known.has(name));
}

it('answers ten thousand malformed requests by the book, and nothing of them stays behind', async () => {
  const elsewhere = async () => (await dataFiles()).filter((name) => !name.startsWith('storage'));
  const before = await elsewhere();
  const warm = await fuzz(0, WARM_UP);
  expect(warm.faults, `RELAYPACS_TEST_SEED=${SEED}`).toEqual([]);
  const [memory, handles] = [await residentMib(), await openFiles()];

  const { faults, statuses } = await fuzz(WARM_UP, WARM_UP + REQUESTS);
  expect(faults, `RELAYPACS_TEST_SEED=${SEED}`).toEqual([]);
  // It did reach what lies behind the checks.
  const count = (wanted: RegExp) =>
    [...statuses].reduce((sum, [key, number]) => sum + (wanted.test(key) ? number : 0), 0);
  expect(count(/^POST 201/)).toBeGreaterThan(200);
  expect(count(/^PATCH 204/)).toBeGreaterThan(200);
  expect(count(/4\d\d$/)).toBeGreaterThan(REQUESTS / 4);

  expect((await residentMib()) - memory).toBeLessThan(100);
  await expect.poll(openFiles, { timeout: 10_000 }).toBeLessThanOrEqual(handles + 8);
  await expect.poll(strayObjects, { timeout: 10_000 }).toEqual([]);
  expect(await elsewhere()).toEqual(before);

  const content = randomBytes(MIB);
  const upload = await jane.announce({ totalBytes: content.length });
  const made = await jane.createFile(upload, content, 'after.dcm');
  expect(made.status).toBe(201);
  expect(await jane.upload(upload.id)).toMatchObject({ status: 'received' });
  expect((await receivedBytes(stack, made.headers.get('location')!)).equals(content)).toBe(true);
});

it('serves others while hundreds of connections send their headers for ever', async () => {
  const handles = await openFiles();
  const { port } = new URL(stack.baseUrl);
  const loris = Array.from({ length: 400 }, () => net.connect(Number(port), '127.0.0.1'));
  for (const socket of loris) {
    socket.on('error', () => {});
    socket.write('POST /files HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ');
  }
  const drip = setInterval(() => loris.forEach((socket) => void socket.write('x')), 100);
  await expect.poll(openFiles, { timeout: 20_000 }).toBeGreaterThanOrEqual(400);
  const begun = performance.now();
  const upload = await jane.announce({ totalBytes: MIB });
  expect((await jane.createFile(upload, randomBytes(MIB), 'a')).status).toBe(201);
  // Their connections would end when a minute has passed without all of their headers.
  expect(performance.now() - begun).toBeLessThan(5000);
  clearInterval(drip);
  for (const socket of loris) socket.destroy();
  await expect.poll(openFiles, { timeout: 10_000 }).toBeLessThanOrEqual(handles + 8);
});

it('keeps ten thousand creations of one upload within its bounds', async () => {
  const before = await strayObjects();
  const upload = await jane.announce({ fileCount: 3, totalBytes: 1000 });
  const statuses = new Set<number | undefined>();
  const port = Number(new URL(stack.baseUrl).port);
  let left = 10_000;
  const lane = async () => {
    const connection = new FuzzConnection(port);
    for (; left > 0; left -= 1) {
      const headers: Array<[string, string]> = [
        ['authorization', `Bearer ${upload.uploadToken}`],
        ['tus-resumable', '1.0.0'],
        ['upload-length', '1000'],
        ['upload-metadata', `filename ${btoa(`f${left % 50}`)}`],
        ['content-type', 'application/offset+octet-stream'],
      ];
      const body = Buffer.alloc(left % 10 === 0 ? 9 : 0);
      const request = { method: 'POST', path: '/files', headers, body, chunked: false, token: '' };
      const answer = await connection.send(serialize(request, new Random(left)), request);
      statuses.add(answer?.status);
    }
    await connection.close();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  expect(
    [...statuses].filter((status) => status !== 201 && status !== 404 && status !== 410 && status !== 423),
  ).toEqual([]);
  const { status, files } = await jane.upload(upload.id);
  expect(status).toBe('uploading');
  // At most twice the announced bytes may be under way.
  expect(files.length).toBeLessThanOrEqual(2);
  await expect.poll(strayObjects, { timeout: 10_000 }).toEqual(before);
});

it('keeps what it has when the disk is full, says so, and goes on when there is room', async (context) => {
  const storage = path.join(stack.dataDir, 'storage');
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'relaypacs-test', storage]);
  if (mounted.status !== 0) context.skip('A small disk can only be made by root, where mounting is allowed.');
  try {
    const content = randomBytes(12 * MIB);
    const upload = await jane.announce({ totalBytes: content.length });
    const made = await jane.createFile(upload, Buffer.alloc(0), 'a', {
      'upload-length': String(content.length),
    });
    const location = made.headers.get('location')!;
    const headers = { authorization: `Bearer ${upload.uploadToken}`, 'tus-resumable': '1.0.0' };
    const head = () => fetch(location, { method: 'HEAD', headers });
    // A connection on which a request failed may be closed by the server; then a new one is taken.
    const offsetNow = async () =>
      Number((await head().catch(head)).headers.get('upload-offset') ?? Number.NaN);
    const send = (offset: number) =>
      jane.request('PATCH', location, {
        headers: {
          ...headers,
          'upload-offset': String(offset),
          'content-type': 'application/offset+octet-stream',
        },
        body: new Uint8Array(content.subarray(offset, offset + MIB)),
      });
    let acknowledged = 0;
    let answer = await send(0);
    while (answer.status === 204) {
      acknowledged = Number(answer.headers.get('upload-offset'));
      answer = await send(acknowledged);
    }
    expect(answer.body).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(acknowledged).toBeGreaterThanOrEqual(6 * MIB);
    expect(await offsetNow()).toBeGreaterThanOrEqual(acknowledged);

    spawnSync('mount', ['-o', 'remount,size=64m', storage]);
    for (let offset = await offsetNow(); offset < content.length; offset = await offsetNow()) {
      const sent = await send(offset);
      expect(sent.status).toBe(204);
    }
    expect((await receivedBytes(stack, location)).equals(content)).toBe(true);
    expect(await jane.upload(upload.id)).toMatchObject({ status: 'received' });
  } finally {
    spawnSync('umount', ['-l', storage]);
  }
});
