import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { receivedBytes } from './support/received-bytes.js';
import { type Stack, startStack } from './support/stack.js';
import {
  arrived,
  BYTES,
  beginFile,
  create,
  head,
  patch,
  RawPatch,
  tusRequest,
} from './support/tus-requests.js';

const MIB = 1024 * 1024;
/** Silence after which a transfer's request is ended here. */
const IDLE_SECONDS = 1;

let stack: Stack;
let jane: ApiClient;

beforeAll(async () => {
  stack = await startStack({ worker: false, env: { UPLOAD_IDLE_SECONDS: String(IDLE_SECONDS) } });
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(() => stack?.stop());

const stored = () => readdir(path.join(stack.dataDir, 'storage'));

describe('a connection that has gone silent', () => {
  it('is answered with what arrived, and closed', async () => {
    const content = randomBytes(300_000);
    const file = await beginFile(jane, content.length);
    const request = new RawPatch(file, 0, content.length);
    await request.write(content.subarray(0, 100_000));
    const begun = performance.now();
    await expect.poll(() => request.answer.status, { timeout: 4000 }).toBe(204);
    expect(performance.now() - begun).toBeGreaterThan(800);
    expect(request.answer).toMatchObject({ offset: 100_000, closes: true });
    await expect.poll(() => request.socket.closed, { timeout: 4000 }).toBe(true);
    expect((await patch(file, 100_000, content.subarray(100_000))).status).toBe(204);
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });

  it('is answered when it never brought a byte', async () => {
    const file = await beginFile(jane, 1000);
    const request = new RawPatch(file, 0, 1000);
    await expect.poll(() => request.answer, { timeout: 4000 }).toMatchObject({ status: 204, offset: 0 });
    request.drop();
  });

  it('is answered whole and at once when it was a creation, not when the connection is closed later', async () => {
    const { uploadToken } = await jane.announce({ totalBytes: 1000 });
    const request = http.request(`${stack.baseUrl}/files`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${uploadToken}`,
        'tus-resumable': '1.0.0',
        'upload-length': '1000',
        'content-length': '1000',
        ...BYTES,
      },
    });
    request.on('error', () => {});
    request.write(randomBytes(10));
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    const begun = performance.now();
    await once(answer.resume(), 'end');
    // The server closes the connection after two seconds.
    expect(performance.now() - begun).toBeLessThan(1500);
    expect(answer.statusCode).toBe(201);
    expect(answer.headers).toMatchObject({ 'content-length': '0', 'upload-offset': '10' });
    expect(answer.headers.location).toBeDefined();
    request.destroy();
  });

  it('is left alone while something comes, however little and however long', async () => {
    const content = randomBytes(40 * 5);
    const file = await beginFile(jane, content.length);
    const request = new RawPatch(file, 0, content.length);
    for (let at = 0; at < content.length; at += 5) {
      await sleep(100);
      expect(request.answer.status).toBeNaN();
      await request.write(content.subarray(at, at + 5));
    }
    await expect.poll(() => request.answer).toMatchObject({ status: 204, offset: content.length });
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
    request.drop();
  });

  it.each([
    ['asks for the offset', async (file: Parameters<typeof head>[0]) => head(file)],
    ['sends on', async (file: Parameters<typeof head>[0]) => patch(file, 2 * MIB, Buffer.alloc(10, 7))],
  ])('gives the file up at once to a client that %s', async (_what, go) => {
    const content = randomBytes(2 * MIB);
    const file = await beginFile(jane, 4 * MIB);
    const silent = new RawPatch(file, 0, 4 * MIB);
    await silent.write(content);
    await arrived(silent.socket);
    const answer = await go(file);
    // At once is before its silence would have ended it.
    expect(answer.ms).toBeLessThan(IDLE_SECONDS * 1000);
    expect([200, 204]).toContain(answer.status);
    expect(answer.offset).toBe(answer.status === 200 ? 2 * MIB : 2 * MIB + 10);
    await expect.poll(() => silent.answer).toMatchObject({ status: 204, offset: 2 * MIB, closes: true });
    const seen = await receivedBytes(stack, file.id);
    expect(seen.subarray(0, 2 * MIB).equals(content)).toBe(true);
    expect(seen.subarray(2 * MIB).equals(Buffer.alloc(answer.offset - 2 * MIB, 7))).toBe(true);
    silent.drop();
  });

  it('loses nothing to ten clients that ask at once', async () => {
    const content = randomBytes(200_000);
    const file = await beginFile(jane, 400_000);
    const silent = new RawPatch(file, 0, 400_000);
    await silent.write(content);
    await arrived(silent.socket);
    const seen = await Promise.all(Array.from({ length: 10 }, () => head(file)));
    expect(seen.map(({ status, offset }) => `${status} ${offset}`)).toEqual(Array(10).fill('200 200000'));
    silent.drop();
  });
});

describe('more bytes than a file takes', () => {
  it('are refused in a body that does not say its length, and leave what was there', async () => {
    const content = randomBytes(2000);
    const file = await beginFile(jane, content.length);
    expect((await patch(file, 0, content.subarray(0, 500))).status).toBe(204);
    const request = new RawPatch(file, 500, undefined);
    await request.write(content.subarray(500, 1500));
    await request.write(randomBytes(100_000));
    request.finish();
    await expect.poll(() => request.answer).toMatchObject({ status: 413, code: 'UPLOAD_TOO_LARGE' });
    request.drop();
    expect((await head(file)).offset).toBe(500);
    expect((await patch(file, 500, content.subarray(500))).status).toBe(204);
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });

  it('are refused for a file of unknown length when the upload would become too large', async () => {
    const upload = await jane.announce({ totalBytes: 1000 });
    const { file } = await create(stack.baseUrl, upload.uploadToken, { 'upload-defer-length': '1' });
    const request = new RawPatch(file, 0, undefined);
    await request.write(randomBytes(1001));
    request.finish();
    await expect.poll(() => request.answer).toMatchObject({ status: 413, code: 'UPLOAD_TOO_LARGE' });
    request.drop();
    expect((await patch(file, 0, randomBytes(1001))).status).toBe(413);
    const declared = await patch(file, 0, randomBytes(10), { 'upload-length': '1001' });
    expect(declared).toMatchObject({ status: 413, body: { code: 'UPLOAD_TOO_LARGE' } });
    expect(await head(file)).toMatchObject({ status: 200, offset: 0 });
    expect((await patch(file, 0, randomBytes(1000))).status).toBe(204);
  });
});

it('does not give up files of unknown length that have bytes when more of them are begun', async () => {
  const upload = await jane.announce({ fileCount: 4, totalBytes: 200 });
  const files = [];
  for (let i = 0; i < 4; i += 1) {
    const { file } = await create(stack.baseUrl, upload.uploadToken, { 'upload-defer-length': '1' });
    expect((await patch(file, 0, randomBytes(50))).status).toBe(204);
    files.push(file);
  }
  const answers = await Promise.all(files.map((file) => head(file)));
  expect(answers.map(({ status, offset }) => [status, offset])).toEqual(Array(4).fill([200, 50]));
  // All together they may not become much larger than what was announced.
  const grown = [];
  for (const file of files) grown.push((await patch(file, 50, randomBytes(150))).status);
  expect(grown).toEqual([204, 413, 413, 413]);
});

describe('a file whose upload goes away while it is sent', () => {
  const GOING: [string, (uploadId: string, url: string) => Promise<{ status: number }>, number][] = [
    ['cancelled', (uploadId) => jane.request('DELETE', `/api/v1/uploads/${uploadId}`), 410],
    ['deleted', (_uploadId, url) => tusRequest('DELETE', url, jane.token!), 404],
  ];

  it.each(GOING)('says so when it was %s, and leaves nothing behind', async (_how, remove, after) => {
    const before = new Set(await stored());
    const file = await beginFile(jane, 4 * MIB);
    expect((await patch(file, 0, randomBytes(MIB))).status).toBe(204);
    const request = new RawPatch(file, MIB, 3 * MIB);
    await request.write(randomBytes(MIB));
    await arrived(request.socket);
    expect((await remove(file.uploadId, file.url)).status).toBe(204);
    await request.write(randomBytes(2 * MIB));
    await expect.poll(() => request.answer.status, { timeout: 5000 }).toBeGreaterThanOrEqual(400);
    expect(request.answer.code).toMatch(/^(GONE|NOT_FOUND|FILE_LOCKED|UPLOAD_NOT_OPEN)$/);
    expect(request.answer.status).toBeLessThan(500);
    request.drop();
    expect((await head(file)).status).toBe(after);
    expect((await patch(file, MIB, randomBytes(10))).status).toBe(after);
    await expect.poll(async () => (await stored()).filter((key) => !before.has(key))).toEqual([]);
  });

  it.each(GOING)(
    'leaves nothing behind when it was %s before anything was recorded',
    async (_how, remove, after) => {
      const before = new Set(await stored());
      const file = await beginFile(jane, MIB);
      const request = new RawPatch(file, 0, MIB);
      await request.write(randomBytes(1000));
      await expect.poll(async () => (await stored()).filter((key) => !before.has(key))).toHaveLength(1);
      expect((await remove(file.uploadId, file.url)).status).toBe(204);
      request.socket.end();
      await expect.poll(async () => (await stored()).filter((key) => !before.has(key))).toEqual([]);
      expect((await head(file)).status).toBe(after);
      const again = { 'upload-length': String(MIB), ...BYTES };
      const made = await create(stack.baseUrl, file.token, again, randomBytes(MIB));
      expect(made.status).toBe(after === 404 ? 201 : 410);
    },
  );
});
