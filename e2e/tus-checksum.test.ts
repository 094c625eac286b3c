import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { receivedBytes } from './support/received-bytes.js';
import { type Stack, startStack } from './support/stack.js';
import { BYTES, beginFile, create, head, patch, RawPatch } from './support/tus-requests.js';

const ALGORITHMS = ['md5', 'sha1', 'sha256'];
const MIB = 1024 * 1024;
const PAGE = 'https://viewer.example';

let stack: Stack;
let jane: ApiClient;

beforeAll(async () => {
  stack = await startStack({ worker: false, env: { CORS_ORIGINS: PAGE } });
  jane = await ApiClient.signUp(stack.baseUrl);
});
afterAll(() => stack?.stop());

const checksum = (data: Uint8Array, algorithm = 'sha1') => ({
  'upload-checksum': `${algorithm} ${createHash(algorithm).update(data).digest('base64')}`,
});

describe('a PATCH with a checksum', () => {
  it.each(ALGORITHMS)('of %s is taken when it is right, and leaves no trace when not', async (algorithm) => {
    const content = randomBytes(100_000);
    const file = await beginFile(jane, content.length);
    const first = content.subarray(0, 60_000);
    expect(await patch(file, 0, first, checksum(first, algorithm))).toMatchObject({
      status: 204,
      offset: first.length,
    });
    const rest = content.subarray(first.length);
    const damaged = Buffer.from(rest);
    damaged[1234]! ^= 1;
    const refused = await patch(file, first.length, damaged, checksum(rest, algorithm));
    expect(refused.body).toMatchObject({ status: 460, code: 'CHECKSUM_MISMATCH' });
    expect(refused.status).toBe(460);
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(refused.headers.get('tus-resumable')).toBe('1.0.0');
    expect(await head(file)).toMatchObject({ status: 200, offset: first.length });
    expect(await patch(file, first.length, rest, checksum(rest, algorithm))).toMatchObject({ status: 204 });
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
    expect(await jane.upload(file.uploadId)).toMatchObject({ status: 'received' });
  });

  it('that never gets through can be tried for ever without harm', async () => {
    const content = randomBytes(50_000);
    const file = await beginFile(jane, content.length);
    for (let i = 0; i < 10; i += 1) {
      const answer = await patch(file, 0, randomBytes(content.length), checksum(content));
      expect(answer.status).toBe(460);
    }
    expect((await patch(file, 0, content, checksum(content))).status).toBe(204);
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });

  it('may be 20 MiB long: all of it counts, or nothing', async () => {
    const content = randomBytes(20 * MIB);
    const file = await beginFile(jane, content.length);
    const damaged = Buffer.from(content);
    damaged[content.length - 1]! ^= 128;
    expect((await patch(file, 0, damaged, checksum(content, 'sha256'))).status).toBe(460);
    expect((await head(file)).offset).toBe(0);
    expect((await patch(file, 0, content, checksum(content, 'sha256'))).status).toBe(204);
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });

  it('may have no bytes', async () => {
    const file = await beginFile(jane, 10);
    const nothing = new Uint8Array(0);
    expect(await patch(file, 0, nothing, checksum(nothing))).toMatchObject({ status: 204, offset: 0 });
    expect((await patch(file, 0, nothing, checksum(randomBytes(1)))).status).toBe(460);
    expect((await head(file)).offset).toBe(0);
  });

  it('may come in chunks, its length unsaid', async () => {
    const content = randomBytes(30_000);
    const file = await beginFile(jane, content.length);
    for (const [body, expected] of [
      [randomBytes(content.length), { status: 460, code: 'CHECKSUM_MISMATCH' }],
      [content, { status: 204, offset: content.length }],
    ] as const) {
      const request = new RawPatch(file, 0, undefined, checksum(content));
      for (let at = 0; at < body.length; at += 7000) await request.write(body.subarray(at, at + 7000));
      request.finish();
      await expect.poll(() => request.answer).toMatchObject(expected);
      request.drop();
    }
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });

  it('keeps what arrived when the connection drops in the middle', async () => {
    const content = randomBytes(400_000);
    const file = await beginFile(jane, content.length);
    const request = new RawPatch(file, 0, content.length, checksum(content));
    await request.write(content.subarray(0, 150_000));
    request.socket.end();
    await expect.poll(async () => (await head(file)).offset).toBe(150_000);
    const rest = content.subarray(150_000);
    expect((await patch(file, 150_000, rest, checksum(rest))).status).toBe(204);
    expect((await receivedBytes(stack, file.id)).equals(content)).toBe(true);
  });

  it.each([
    ['an unknown algorithm', 'crc32 NSRBwg==', 'CHECKSUM_UNSUPPORTED'],
    ['no digest', 'sha1', 'MALFORMED_REQUEST'],
    ['a digest of the wrong length', 'sha1 AAAA', 'MALFORMED_REQUEST'],
    ['nothing', '', 'CHECKSUM_UNSUPPORTED'],
  ])('naming %s is refused before a byte is read', async (_what, header, code) => {
    const file = await beginFile(jane, 1000);
    const request = new RawPatch(file, 0, 1000, { 'upload-checksum': header });
    await expect.poll(() => request.answer).toMatchObject({ status: 400, code });
    request.drop();
    expect((await head(file)).offset).toBe(0);
    const whole = await patch(file, 0, randomBytes(1000), { 'upload-checksum': header });
    expect(whole.body).toMatchObject({ status: 400, code });
  });
});

describe('a creation with a checksum', () => {
  it.each(ALGORITHMS)('of %s takes the file in one request', async (algorithm) => {
    const content = randomBytes(10_000);
    const { uploadToken, id } = await jane.announce({ totalBytes: content.length });
    const headers = { 'upload-length': '10000', ...BYTES, ...checksum(content, algorithm) };
    const made = await create(stack.baseUrl, uploadToken, headers, content);
    expect(made).toMatchObject({ status: 201, offset: content.length });
    expect((await receivedBytes(stack, made.file.id)).equals(content)).toBe(true);
    expect(await jane.upload(id)).toMatchObject({ status: 'received' });
  });

  it('that is wrong makes the file without bytes and says where it is', async () => {
    const content = randomBytes(10_000);
    const { uploadToken, id } = await jane.announce({ totalBytes: content.length });
    const headers = { 'upload-length': '10000', ...BYTES, ...checksum(content) };
    const made = await create(stack.baseUrl, uploadToken, headers, randomBytes(10_000));
    expect(made).toMatchObject({ status: 201, offset: 0 });
    expect(await head(made.file)).toMatchObject({ status: 200, offset: 0 });
    expect(await jane.upload(id)).toMatchObject({ status: 'uploading' });
    expect((await patch(made.file, 0, content, checksum(content))).status).toBe(204);
    expect((await receivedBytes(stack, made.file.id)).equals(content)).toBe(true);
  });

  it('that cannot be read makes nothing', async () => {
    const { uploadToken, id } = await jane.announce({ totalBytes: 10 });
    const headers = { 'upload-length': '10', ...BYTES, 'upload-checksum': 'sha512 AAAA' };
    const made = await create(stack.baseUrl, uploadToken, headers, randomBytes(10));
    expect(made.body).toMatchObject({ status: 400, code: 'CHECKSUM_UNSUPPORTED' });
    expect((await jane.upload(id)).files).toEqual([]);
  });

  it('of an empty file is verified, too', async () => {
    const { uploadToken, id } = await jane.announce({ totalBytes: 0 });
    const headers = { 'upload-length': '0', ...BYTES, ...checksum(new Uint8Array(0)) };
    expect((await create(stack.baseUrl, uploadToken, headers)).status).toBe(201);
    expect(await jane.upload(id)).toMatchObject({ status: 'received' });
  });
});

describe('what clients are told', () => {
  const list = (answer: Response, header: string) =>
    (answer.headers.get(header) ?? '').toLowerCase().split(/, ?/);

  it('names the algorithms and the extensions', async () => {
    const answer = await fetch(`${stack.baseUrl}/files`, { method: 'OPTIONS' });
    expect(answer.status).toBe(204);
    expect(answer.headers.get('tus-checksum-algorithm')).toBe('md5,sha1,sha256');
    expect(list(answer, 'tus-extension').sort()).toEqual([
      'checksum',
      'concatenation',
      'creation',
      'creation-defer-length',
      'creation-with-upload',
      'expiration',
      'termination',
    ]);
  });

  it('lets pages of a known origin send every header of the protocol', async () => {
    const answer = await fetch(`${stack.baseUrl}/files/some`, {
      method: 'OPTIONS',
      headers: { origin: PAGE, 'access-control-request-method': 'PATCH' },
    });
    expect(answer.ok).toBe(true);
    expect(answer.headers.get('access-control-allow-origin')).toBe(PAGE);
    expect(list(answer, 'access-control-allow-methods')).toEqual(
      expect.arrayContaining(['patch', 'post', 'head', 'delete']),
    );
    expect(list(answer, 'access-control-allow-headers')).toEqual(
      expect.arrayContaining([
        'authorization',
        'content-type',
        'tus-resumable',
        'upload-checksum',
        'upload-concat',
        'upload-defer-length',
        'upload-length',
        'upload-metadata',
        'upload-offset',
        'x-http-method-override',
      ]),
    );
  });

  it('lets such pages read the answers, refusals included', async () => {
    const file = await beginFile(jane, 10);
    const readable = ['upload-offset', 'upload-expires', 'location', 'tus-checksum-algorithm', 'retry-after'];
    for (const [offset, status] of [
      [0, 460],
      [5, 409],
      [0, 204],
    ] as const) {
      const sum = checksum(randomBytes(status === 204 ? 0 : 5));
      const answer = await patch(file, offset, new Uint8Array(0), { origin: PAGE, ...sum });
      expect(answer.status).toBe(status);
      expect(answer.headers.get('access-control-allow-origin')).toBe(PAGE);
      const exposed = answer.headers.get('access-control-expose-headers')?.toLowerCase().split(/, ?/);
      expect(exposed).toEqual(expect.arrayContaining(readable));
    }
    const stranger = await patch(file, 0, new Uint8Array(0), { origin: 'https://elsewhere.example' });
    expect(stranger.headers.get('access-control-allow-origin')).not.toBe('https://elsewhere.example');
  });
});
