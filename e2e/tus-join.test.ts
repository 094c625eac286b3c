import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { receivedBytes } from './support/received-bytes.js';
import { type Stack, startStack } from './support/stack.js';
import { create, head, patch, RawPatch, type SentFile, tusRequest } from './support/tus-requests.js';
import { cut, joinSlices, PARTIAL, sendSlice as send } from './support/tus-slices.js';

let stack: Stack;
let database: pg.Client;
let jane: ApiClient;
let other: ApiClient;

beforeAll(async () => {
  stack = await startStack({ worker: false });
  database = new pg.Client({ connectionString: stack.databaseUrl });
  await database.connect();
  jane = await ApiClient.signUp(stack.baseUrl);
  other = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await database?.end();
  await stack?.stop();
});

const sendSlice = (token: string, bytes: Uint8Array) => send(stack.baseUrl, token, bytes);
const sendSlices = (token: string, slices: readonly Uint8Array[]) =>
  Promise.all(slices.map((slice) => sendSlice(token, slice)));
const join = (token: string, urls: readonly string[], headers: Record<string, string> = {}) =>
  joinSlices(stack.baseUrl, token, urls, headers);
const urlsOf = (files: readonly SentFile[]) => files.map(({ url }) => url);
const named = (name: string) => ({ 'upload-metadata': `filename ${btoa(name)}` });

async function objectsOf(files: readonly SentFile[]): Promise<string[]> {
  const ids = files.map(({ id }) => id);
  const found = await database.query('SELECT key FROM file_segments WHERE file_id = ANY($1)', [ids]);
  return found.rows.map(({ key }) => String(key)).sort();
}

const stored = () => readdir(path.join(stack.dataDir, 'storage'));
const listed = async (client: ApiClient) =>
  (await client.get<{ items: object[] }>('/api/v1/uploads')).body.items;

describe('slices of an announced upload', () => {
  it('become one file, in the order they are named, without their bytes being copied', async () => {
    const content = randomBytes(1_000_000);
    const { uploadToken, id } = await jane.announce({ totalBytes: content.length });
    const files = await sendSlices(uploadToken, cut(content, 4));
    const [a, b, c, d] = files as [SentFile, SentFile, SentFile, SentFile];
    expect(await jane.upload(id)).toMatchObject({ status: 'uploading', files: [], filesReceived: 0 });
    const before = await objectsOf(files);
    expect(before).toHaveLength(4);

    // Absolute and relative URLs side by side.
    const made = await join(uploadToken, [a.url, `/files/${b.id}`, c.url, `/files/${d.id}`], named('CT.dcm'));
    expect(made.status).toBe(201);
    expect(await objectsOf([made.file])).toEqual(before);
    expect(await stored()).toEqual(expect.arrayContaining(before));
    expect((await receivedBytes(stack, made.file.id)).equals(content)).toBe(true);
    expect(await jane.upload(id)).toMatchObject({
      status: 'received',
      files: [{ filename: 'CT.dcm', size: content.length, status: 'received' }],
    });
  });

  it('are joined in another order than they were sent when the client says so', async () => {
    const parts = cut(randomBytes(9000), 3);
    const { uploadToken } = await jane.announce({ totalBytes: 9000 });
    const files = await sendSlices(uploadToken, parts);
    const made = await join(uploadToken, urlsOf(files.toReversed()));
    expect((await receivedBytes(stack, made.file.id)).equals(Buffer.concat(parts.toReversed()))).toBe(true);
  });

  it('may be 48, some empty, some sent in several requests', async () => {
    const content = randomBytes(480_000);
    const { uploadToken, id } = await jane.announce({ totalBytes: content.length });
    const slices = cut(content, 46);
    slices.splice(10, 0, Buffer.alloc(0));
    slices.push(Buffer.alloc(0));
    const files = await Promise.all(
      slices.map(async (slice) => {
        const headers = { ...PARTIAL, 'upload-length': String(slice.length) };
        const { file } = await create(stack.baseUrl, uploadToken, headers);
        for (const [i, part] of cut(slice, slice.length === 0 ? 0 : 2).entries())
          expect((await patch(file, i * Math.floor(slice.length / 2), part)).status).toBe(204);
        return file;
      }),
    );
    const made = await join(uploadToken, urlsOf(files));
    expect(made.status).toBe(201);
    expect((await receivedBytes(stack, made.file.id)).equals(content)).toBe(true);
    expect(await jane.upload(id)).toMatchObject({ status: 'received' });
  });

  it('are told apart from whole files by HEAD; a joined file takes no more bytes', async () => {
    const parts = cut(randomBytes(1000), 2);
    const { uploadToken } = await jane.announce({ fileCount: 2, totalBytes: 2000 });
    const files = await sendSlices(uploadToken, parts);
    const slice = await head(files[0]!);
    expect(slice).toMatchObject({ status: 200, offset: 500 });
    expect(slice.headers.get('upload-concat')).toBe('partial');
    const made = await join(uploadToken, urlsOf(files));
    const whole = await head(made.file);
    expect(whole).toMatchObject({ status: 200, offset: 1000 });
    expect(whole.headers.get('upload-length')).toBe('1000');
    expect(whole.headers.get('upload-concat')).toBe(`final;${urlsOf(files).join(' ')}`);
    const more = await patch(made.file, 1000, randomBytes(1));
    expect(more).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    expect((await head(files[0]!)).status).toBe(404);
  });

  it('make one file when the join is sent again because its answer was lost', async () => {
    for (const fileCount of [1, 2]) {
      const content = randomBytes(4000);
      const { uploadToken, id } = await jane.announce({ fileCount, totalBytes: 9000 });
      const urls = urlsOf(await sendSlices(uploadToken, cut(content, 3)));
      const first = await join(uploadToken, urls, named('a'));
      const again = await join(uploadToken, urls, named('a'));
      expect([first.status, again.status], `of ${fileCount} files`).toEqual([201, 201]);
      expect(again.file.url).toBe(first.file.url);
      expect((await jane.upload(id)).files).toHaveLength(1);
      expect((await receivedBytes(stack, first.file.id)).equals(content)).toBe(true);
    }
  });

  it('make one file of ten equal joins at once', async () => {
    const content = randomBytes(4000);
    const { uploadToken, id } = await jane.announce({ totalBytes: 4000 });
    const urls = urlsOf(await sendSlices(uploadToken, cut(content, 3)));
    const answers = await Promise.all(Array.from({ length: 10 }, () => join(uploadToken, urls)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 201));
    expect(new Set(answers.map(({ file }) => file.url)).size).toBe(1);
    expect((await jane.upload(id)).files).toHaveLength(1);
    expect((await receivedBytes(stack, answers[0]!.file.id)).equals(content)).toBe(true);
  });

  it('wait until all are complete; the join says which are not, and nothing is lost', async () => {
    const [a, b, c] = cut(randomBytes(30_000), 3) as [Buffer, Buffer, Buffer];
    const { uploadToken, id } = await jane.announce({ totalBytes: 30_000 });
    const whole = await sendSlice(uploadToken, a);
    const begun = (await create(stack.baseUrl, uploadToken, { ...PARTIAL, 'upload-length': '10000' })).file;
    const unknown = (await create(stack.baseUrl, uploadToken, { ...PARTIAL, 'upload-defer-length': '1' }))
      .file;
    // One is just under way.
    const request = new RawPatch(begun, 0, b.length);
    await request.write(b.subarray(0, 4000));
    const early = await join(uploadToken, urlsOf([whole, begun, unknown]));
    expect(early).toMatchObject({
      status: 409,
      body: {
        code: 'FILES_INCOMPLETE',
        missing: [
          { id: begun.id, size: 10_000 },
          { id: unknown.id, size: null, offset: 0 },
        ],
      },
    });
    await request.write(b.subarray(4000));
    await expect.poll(() => request.answer).toMatchObject({ status: 204, offset: 10_000 });
    request.drop();
    expect((await patch(unknown, 0, c, { 'upload-length': '10000' })).status).toBe(204);
    const made = await join(uploadToken, urlsOf([whole, begun, unknown]));
    expect(made.status).toBe(201);
    expect((await receivedBytes(stack, made.file.id)).equals(Buffer.concat([a, b, c]))).toBe(true);
    expect(await jane.upload(id)).toMatchObject({ status: 'received' });
  });

  it('are refused as more than was announced, and kept', async () => {
    const { uploadToken, id } = await jane.announce({ fileCount: 2, totalBytes: 1000 });
    expect((await jane.createFile({ uploadToken }, randomBytes(600), 'a')).status).toBe(201);
    const fits = await sendSlice(uploadToken, randomBytes(300));
    const tooMuch = await sendSlice(uploadToken, randomBytes(300));
    const answer = await join(uploadToken, urlsOf([fits, tooMuch]));
    expect(answer).toMatchObject({ status: 413, body: { code: 'UPLOAD_TOO_LARGE' } });
    expect(await head(fits)).toMatchObject({ status: 200, offset: 300 });
    expect((await join(uploadToken, [fits.url])).status).toBe(201);
    expect(await jane.upload(id)).toMatchObject({ status: 'received', filesReceived: 2 });
  });

  it('that were never joined vanish with the upload, and their bytes', async () => {
    const { uploadToken, id } = await jane.announce({ totalBytes: 1000 });
    const orphans = await sendSlices(uploadToken, cut(randomBytes(900), 3));
    const keys = await objectsOf(orphans);
    expect(await stored()).toEqual(expect.arrayContaining(keys));
    expect((await jane.createFile({ uploadToken }, randomBytes(1000), 'whole')).status).toBe(201);
    expect(await jane.upload(id)).toMatchObject({ status: 'received', files: [{ filename: 'whole' }] });
    expect(await objectsOf(orphans)).toEqual([]);
    const left = await stored();
    expect(keys.filter((key) => left.includes(key))).toEqual([]);
    expect((await head(orphans[0]!)).status).toBe(404);
  });

  it('vanish when the upload is cancelled', async () => {
    const { uploadToken, id } = await jane.announce({ totalBytes: 1000 });
    const slices = await sendSlices(uploadToken, cut(randomBytes(900), 3));
    const keys = await objectsOf(slices);
    expect((await jane.request('DELETE', `/api/v1/uploads/${id}`)).status).toBe(204);
    const left = await stored();
    expect(keys.filter((key) => left.includes(key))).toEqual([]);
    expect((await join(uploadToken, urlsOf(slices))).status).toBe(410);
  });

  it('can be deleted one by one, and are then unknown', async () => {
    const { uploadToken } = await jane.announce({ totalBytes: 1000 });
    const slices = await sendSlices(uploadToken, cut(randomBytes(900), 3));
    const keys = await objectsOf([slices[1]!]);
    expect((await tusRequest('DELETE', slices[1]!.url, uploadToken)).status).toBe(204);
    expect(await stored()).not.toEqual(expect.arrayContaining(keys));
    expect((await join(uploadToken, urlsOf(slices))).status).toBe(404);
    expect((await join(uploadToken, urlsOf([slices[0]!, slices[2]!]))).status).toBe(201);
  });

  it('make one file, by its clientId, when all of them are sent again', async () => {
    const { uploadToken, id } = await jane.announce({ fileCount: 3, totalBytes: 9000 });
    const headers = { 'upload-metadata': `filename ${btoa('a')},clientId ${btoa('file-1')}` };
    const first = await join(
      uploadToken,
      urlsOf(await sendSlices(uploadToken, cut(randomBytes(900), 3))),
      headers,
    );
    expect(first.status).toBe(201);
    // Everything was sent again, because the client forgot about its slices.
    const again = await join(
      uploadToken,
      urlsOf(await sendSlices(uploadToken, cut(randomBytes(900), 3))),
      headers,
    );
    expect(again).toMatchObject({ status: 201, file: { url: first.file.url } });
    expect((await jane.upload(id)).files).toHaveLength(1);
    const larger = await sendSlice(uploadToken, randomBytes(901));
    expect((await join(uploadToken, [larger.url], headers)).status).toBe(409);
  });
});

describe('a join', () => {
  it('takes only known slices of its own upload, each once', async () => {
    const { uploadToken } = await jane.announce({ fileCount: 2, totalBytes: 2000 });
    const own = await sendSlice(uploadToken, randomBytes(100));
    const elsewhere = await sendSlice((await jane.announce()).uploadToken, randomBytes(100));
    const foreign = await sendSlice((await other.announce()).uploadToken, randomBytes(100));
    const whole = await jane.createFile({ uploadToken }, randomBytes(100), 'whole');
    const unknown = own.url.slice(0, -4) + (own.url.endsWith('0000') ? '1111' : '0000');
    for (const [urls, status] of [
      [[own.url, elsewhere.url], 404],
      [[own.url, foreign.url], 404],
      [[own.url, whole.headers.get('location')!], 404],
      [[own.url, unknown], 404],
      [[own.url, 'https://nowhere.example/'], 404],
      [[own.url, `/files/${own.id}`], 400],
      [[], 400],
    ] as const) {
      const answer = await join(uploadToken, urls);
      expect(answer.status, urls.join(' ')).toBe(status);
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    }
    expect((await join(uploadToken, [own.url], { 'upload-length': '100' })).status).toBe(400);
    expect((await join(uploadToken, [own.url])).status).toBe(201);
  });

  it('that does not name the upload of its slices leaves that upload alone', async () => {
    const { uploadToken, id } = await jane.announce({ fileCount: 2 });
    expect((await jane.createFile({ uploadToken }, randomBytes(100), 'whole')).status).toBe(201);
    const slice = await sendSlice(uploadToken, randomBytes(100));
    expect((await join(jane.token!, [slice.url])).status).toBe(404);
    expect(await jane.upload(id)).toMatchObject({ status: 'uploading', filesReceived: 1 });
  });

  it('that is neither partial nor final is refused', async () => {
    const { uploadToken } = await jane.announce();
    for (const concat of ['', 'Partial', 'final', 'finally;/files/a']) {
      const headers = { 'upload-concat': concat, 'upload-length': '1' };
      const answer = await create(stack.baseUrl, uploadToken, headers);
      expect(answer.body, concat).toMatchObject({ status: 400, code: 'MALFORMED_REQUEST' });
    }
  });
});

describe('slices without an announced upload', () => {
  it('show nothing but the joined file, neither during nor after', async () => {
    const sender = await ApiClient.signUp(stack.baseUrl);
    const token = sender.token!;
    const content = randomBytes(50_000);
    const slices = await sendSlices(token, cut(content, 4));
    expect(await listed(sender)).toEqual([]);
    const metadata = `filename ${btoa('MR.dcm')},patientName ${btoa('Roe^Rick')},modality ${btoa('MR')}`;
    const made = await join(token, urlsOf(slices), { 'upload-metadata': metadata });
    expect(made.status).toBe(201);
    expect((await receivedBytes(stack, made.file.id)).equals(content)).toBe(true);
    const [upload, ...more] = await listed(sender);
    expect(more).toEqual([]);
    expect(upload).toMatchObject({
      status: 'received',
      patientName: 'Roe^Rick',
      modality: 'MR',
      fileCount: 1,
    });
    const again = await join(token, urlsOf(slices), { 'upload-metadata': metadata });
    expect(again).toMatchObject({ status: 201, file: { url: made.file.url } });
    expect(await listed(sender)).toHaveLength(1);
  });

  it('make one file of ten equal joins at once', async () => {
    const sender = await ApiClient.signUp(stack.baseUrl);
    const urls = urlsOf(await sendSlices(sender.token!, cut(randomBytes(900), 3)));
    const answers = await Promise.all(Array.from({ length: 10 }, () => join(sender.token!, urls)));
    expect(new Set(answers.map(({ status, file }) => `${status} ${file.url}`)).size).toBe(1);
    expect(answers[0]!.status).toBe(201);
    expect(await listed(sender)).toHaveLength(1);
  });

  it('can be joined to a file of an upload of the same account, and of no other', async () => {
    const { id } = await jane.announce();
    const slices = await sendSlices(jane.token!, cut(randomBytes(200), 2));
    expect((await join(other.token!, urlsOf(slices))).status).toBe(404);
    expect((await join((await other.announce()).uploadToken, urlsOf(slices))).status).toBe(404);
    const made = await join(jane.token!, urlsOf(slices), { 'upload-metadata': `uploadId ${btoa(id)}` });
    expect(made.status).toBe(201);
    expect(await jane.upload(id)).toMatchObject({ status: 'received', files: [{ size: 200 }] });
  });

  it('are gone when their time is over', async () => {
    const slices = await sendSlices(jane.token!, cut(randomBytes(900), 2));
    await database.query(
      `UPDATE uploads SET expires_at = now() - interval '1 second'
       WHERE id IN (SELECT upload_id FROM upload_files WHERE id = $1)`,
      [slices[0]!.id],
    );
    expect((await head(slices[0]!)).status).toBe(410);
    expect((await join(jane.token!, urlsOf(slices))).status).toBe(410);
  });

  it('that are deleted while they are joined are in the file, or the join is refused', async () => {
    for (let round = 0; round < 15; round += 1) {
      const content = randomBytes(3000);
      const slices = await sendSlices(jane.token!, cut(content, 3));
      const [made, removed] = await Promise.all([
        join(jane.token!, urlsOf(slices)),
        tusRequest('DELETE', slices[2]!.url, jane.token!),
      ]);
      if (made.status === 201) {
        expect((await receivedBytes(stack, made.file.id)).equals(content), `round ${round}`).toBe(true);
        expect(removed.status).not.toBe(204);
      } else expect([made.status, removed.status]).toEqual([404, 204]);
    }
  });
});
