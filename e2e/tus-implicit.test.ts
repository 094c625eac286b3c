import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { receivedBytes } from './support/received-bytes.js';
import { type Stack, startStack } from './support/stack.js';
import { BYTES, create, head, patch, uploadMetadata } from './support/tus-requests.js';

let stack: Stack;
let sender: ApiClient;
/** Uploads of the tests before. */
let known: Set<unknown>;

beforeAll(async () => {
  stack = await startStack({ worker: false });
  sender = await ApiClient.signUp(stack.baseUrl);
});
afterAll(() => stack?.stop());
beforeEach(async () => {
  known = new Set((await all()).map(({ id }) => id));
});

const all = async () =>
  (await sender.get<{ items: Record<string, unknown>[] }>('/api/v1/uploads?limit=100')).body.items;
const listed = async () => (await all()).filter(({ id }) => !known.has(id));
const send = (headers: Record<string, string>, body?: Uint8Array) =>
  create(stack.baseUrl, sender.token!, headers, body);

describe('a file that was never announced', () => {
  it('is an upload of its own, complete when the file is', async () => {
    const content = randomBytes(5000);
    const made = await send({ 'upload-length': '5000' });
    expect(made.status).toBe(201);
    expect(made.headers.get('upload-expires')).toMatch(/GMT$/);
    expect(await listed()).toMatchObject([{ status: 'uploading', patientName: 'Unknown', modality: 'OT' }]);
    expect((await patch(made.file, 0, content.subarray(0, 2000))).status).toBe(204);
    expect(await head(made.file)).toMatchObject({ status: 200, offset: 2000 });
    expect((await patch(made.file, 2000, content.subarray(2000))).status).toBe(204);
    expect((await receivedBytes(stack, made.file.id)).equals(content)).toBe(true);
    const [upload, ...more] = await listed();
    expect(more).toEqual([]);
    expect(upload).toMatchObject({ status: 'received', fileCount: 1, totalBytes: 5000, warningCount: 0 });
    expect(await sender.upload(String(upload!.id))).toMatchObject({
      warnings: [],
      files: [{ filename: 'unnamed', size: 5000, status: 'received' }],
    });
  });

  it('is what its metadata say', async () => {
    const values = {
      patientName: 'Müller^Änne',
      studyDate: '2026-01-02',
      modality: 'MR',
      serviceLevel: 'stat',
      clinicalHistory: 'fell off a bicycle',
    };
    const headers = { ...uploadMetadata({ ...values, filename: 'a.dcm' }), ...BYTES, 'upload-length': '3' };
    expect((await send(headers, randomBytes(3))).status).toBe(201);
    const [upload] = await listed();
    expect(await sender.upload(String(upload!.id))).toMatchObject({
      ...values,
      status: 'received',
      files: [{ filename: 'a.dcm' }],
    });
  });

  it('is refused with what is wrong in its metadata, and makes nothing', async () => {
    const bad = { studyDate: '2026-13-01', modality: 'x-ray', serviceLevel: 'soon' };
    const answer = await send({ ...uploadMetadata(bad), ...BYTES, 'upload-length': '3' }, randomBytes(3));
    expect(answer).toMatchObject({ status: 422, body: { code: 'VALIDATION_FAILED' } });
    const errors = answer.body.errors as { path: string }[];
    expect(errors.map(({ path }) => path).sort()).toEqual(
      ['modality', 'serviceLevel', 'studyDate'].map((key) => `Upload-Metadata.${key}`),
    );
    expect(await listed()).toEqual([]);
  });

  it('may be of unknown length, and has one in the end', async () => {
    const content = randomBytes(700);
    const made = await send({ 'upload-defer-length': '1' });
    expect((await patch(made.file, 0, content.subarray(0, 300))).status).toBe(204);
    const open = await head(made.file);
    expect(open.headers.get('upload-defer-length')).toBe('1');
    expect(open.headers.get('upload-length')).toBeNull();
    const rest = await patch(made.file, 300, content.subarray(300), { 'upload-length': '700' });
    expect(rest).toMatchObject({ status: 204, offset: 700 });
    expect(await listed()).toMatchObject([{ status: 'received', totalBytes: 700 }]);
  });

  it('may not be larger than any', async () => {
    const answer = await send({ 'upload-length': String(3 * 1024 ** 3) });
    expect(answer).toMatchObject({ status: 413, body: { code: 'UPLOAD_TOO_LARGE' } });
    expect(await listed()).toEqual([]);
  });

  it.each([
    ['without bytes', 0],
    ['with a part', 4],
    ['with all bytes', 10],
  ])('is made once, by its clientId, when its creation is sent again %s', async (_what, sent) => {
    const content = randomBytes(10);
    const headers = { ...uploadMetadata({ clientId: `sent-${sent}` }), ...BYTES, 'upload-length': '10' };
    const first = await send(headers, content.subarray(0, sent));
    const again = await send(headers, content.subarray(0, sent));
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.file.url).toBe(first.file.url);
    expect(again.offset).toBe(sent);
    expect(await listed()).toHaveLength(1);
    if (sent < 10) expect((await patch(first.file, sent, content.subarray(sent))).status).toBe(204);
    expect((await receivedBytes(stack, first.file.id)).equals(content)).toBe(true);
  });

  it('is made once when ten ask at the same time', async () => {
    const headers = { ...uploadMetadata({ clientId: 'c-2' }), 'upload-length': '10' };
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(headers)));
    // Who came second at the wrong moment is told to try again.
    expect(answers.filter(({ status }) => ![201, 423].includes(status))).toEqual([]);
    answers.push(await send(headers));
    expect(answers.at(-1)!.status).toBe(201);
    const urls = answers.filter(({ status }) => status === 201).map(({ file }) => file.url);
    expect(new Set(urls).size).toBe(1);
    expect(await listed()).toHaveLength(1);
  });

  it('is another one for another account, or of another size', async () => {
    const headers = { ...uploadMetadata({ clientId: 'c-3' }), 'upload-length': '10' };
    const first = await send(headers);
    expect((await send({ ...headers, 'upload-length': '11' })).body).toMatchObject({ status: 409 });
    const stranger = await ApiClient.signUp(stack.baseUrl);
    const other = await create(stack.baseUrl, stranger.token!, headers);
    expect(other.status).toBe(201);
    expect(other.file.url).not.toBe(first.file.url);
    expect(await head({ ...first.file, token: stranger.token! })).toMatchObject({ status: 404 });
  });

  it('is gone when its time is over', async () => {
    const made = await send({ 'upload-length': '10' });
    const database = new pg.Client({ connectionString: stack.databaseUrl });
    await database.connect();
    const [upload] = await listed();
    await database.query(`UPDATE uploads SET expires_at = now() - interval '1 second' WHERE id = $1`, [
      upload!.id,
    ]);
    await database.end();
    expect((await head(made.file)).status).toBe(410);
    const late = await patch(made.file, 0, randomBytes(10));
    expect(late).toMatchObject({ status: 410, body: { code: 'GONE' } });
  });
});

describe('a creation of an announced upload', () => {
  it('that brought the last byte is answered again with where its file is', async () => {
    const { uploadToken, id } = await sender.announce({ totalBytes: 10 });
    const headers = { ...uploadMetadata({ clientId: 'c-4' }), ...BYTES, 'upload-length': '10' };
    const first = await create(stack.baseUrl, uploadToken, headers, randomBytes(10));
    const again = await create(stack.baseUrl, uploadToken, headers, randomBytes(10));
    expect(again).toMatchObject({ status: 201, offset: 10, file: { url: first.file.url } });
    expect(await sender.upload(id)).toMatchObject({ status: 'received', filesReceived: 1 });
    const another = await create(stack.baseUrl, uploadToken, { ...BYTES, 'upload-length': '0' });
    expect(another.body).toMatchObject({ status: 409, code: 'UPLOAD_NOT_OPEN' });
  });
});
