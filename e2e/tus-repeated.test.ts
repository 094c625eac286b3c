import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { receivedBytes } from './support/received-bytes.js';
import { type Stack, startStack } from './support/stack.js';
import { BYTES, create, head, patch, uploadMetadata } from './support/tus-requests.js';
import { cut, joinSlices, PARTIAL, sendSlice } from './support/tus-slices.js';

let stack: Stack;
let database: pg.Client;
/** Of the test alone. */
let sender: ApiClient;

beforeAll(async () => {
  stack = await startStack({ worker: false });
  database = new pg.Client({ connectionString: stack.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database?.end();
  await stack?.stop();
});
beforeEach(async () => {
  sender = await ApiClient.signUp(stack.baseUrl);
});

interface ListedUpload {
  id: string;
  status: string;
  filesReceived: number;
  patientName: string;
  expiresAt: string;
}

const listed = async () => (await sender.get<{ items: ListedUpload[] }>('/api/v1/uploads')).body.items;
const cancel = async (id: string) =>
  expect((await sender.request('DELETE', `/api/v1/uploads/${id}`)).status).toBe(204);
const stored = async () => (await readdir(path.join(stack.dataDir, 'storage'))).sort();
/** Creates a file of 10 bytes, with some of them. */
const send = (metadata: Record<string, string>, body?: Uint8Array, token = sender.token!) =>
  create(
    stack.baseUrl,
    token,
    { ...uploadMetadata(metadata), 'upload-length': '10', ...(body ? BYTES : {}) },
    body,
  );
const TAKEN = { status: 409, body: { code: 'CLIENT_ID_TAKEN' } };

describe('the creation of a file that was never announced', () => {
  const NAMED = { clientId: 'scan-1', filename: 'a.dcm', patientName: 'Doe^Jane' };

  it('that brought no byte is received whole when it is sent again with all of them', async () => {
    const content = randomBytes(10);
    const first = await send(NAMED);
    expect(first).toMatchObject({ status: 201 });
    // Twice: the answer to the second was lost as well.
    for (const again of [await send(NAMED, content), await send(NAMED, content)]) {
      expect(again).toMatchObject({ status: 201, offset: 10, file: { url: first.file.url } });
    }
    expect(await listed()).toMatchObject([{ status: 'received', filesReceived: 1 }]);
    expect((await receivedBytes(stack, first.file.id)).equals(content)).toBe(true);
  });

  it('that brought a part goes on behind it when it is sent again with all bytes', async () => {
    const content = randomBytes(10);
    const first = await send(NAMED, content.subarray(0, 4));
    expect(first).toMatchObject({ status: 201, offset: 4 });
    for (const again of [await send(NAMED, content), await send(NAMED, content)]) {
      expect(again).toMatchObject({ status: 201, offset: 4, file: { url: first.file.url } });
    }
    expect(await patch(first.file, 4, content.subarray(4))).toMatchObject({ status: 204, offset: 10 });
    expect(await send(NAMED, content)).toMatchObject({ status: 201, offset: 10, file: first.file });
    expect(await listed()).toMatchObject([{ status: 'received' }]);
    expect((await receivedBytes(stack, first.file.id)).equals(content)).toBe(true);
  });

  it('tells until when its upload can be finished, not when one begun now would end', async () => {
    expect((await send(NAMED)).status).toBe(201);
    await database.query(`UPDATE uploads SET expires_at = expires_at - interval '1 hour'`);
    const [upload] = await listed();
    const again = await send(NAMED, randomBytes(3));
    expect(again.headers.get('upload-expires')).toBe(new Date(upload!.expiresAt).toUTCString());
  });

  it.each([
    ['of another patient', { ...NAMED, patientName: 'Roe^Rick' }, {}],
    ['with another filename', { ...NAMED, filename: 'b.dcm' }, {}],
    ['as a slice', NAMED, PARTIAL],
  ])(
    '%s is refused under a clientId that is taken; the first file stays as it is',
    async (_what, metadata, headers) => {
      const content = randomBytes(10);
      const first = await send(NAMED, content.subarray(0, 4));
      const before = await stored();
      const other = { ...uploadMetadata(metadata), ...BYTES, ...headers, 'upload-length': '10' };
      expect(await create(stack.baseUrl, sender.token!, other, randomBytes(10))).toMatchObject(TAKEN);
      expect(await stored()).toEqual(before);
      expect(await listed()).toMatchObject([{ patientName: 'Doe^Jane', status: 'uploading' }]);
      expect(await head(first.file)).toMatchObject({ status: 200, offset: 4 });
      expect((await patch(first.file, 4, content.subarray(4))).status).toBe(204);
      expect((await receivedBytes(stack, first.file.id)).equals(content)).toBe(true);
    },
  );

  it('makes a new upload when that of its clientId was cancelled, and finds that one afterwards', async () => {
    const first = await send(NAMED, randomBytes(4));
    const [cancelled] = await listed();
    await cancel(cancelled!.id);
    const content = randomBytes(10);
    const second = await send(NAMED, content);
    expect(second).toMatchObject({ status: 201, offset: 10 });
    expect(second.file.url).not.toBe(first.file.url);
    expect(await send(NAMED, content)).toMatchObject({ status: 201, offset: 10, file: second.file });
    const statuses = (await listed()).map(({ status }) => status).sort();
    expect(statuses).toEqual(['cancelled', 'received']);
    expect((await receivedBytes(stack, second.file.id)).equals(content)).toBe(true);
  });
});

describe('a file of an announced upload', () => {
  it.each([
    ['with another filename', { filename: 'b.dcm' }, {}],
    ['as a slice', {}, PARTIAL],
  ])('is not taken for another one that comes %s under its clientId', async (_what, metadata, headers) => {
    const named = { clientId: 'scan-1', filename: 'a.dcm' };
    const { uploadToken, id } = await sender.announce({ fileCount: 2, totalBytes: 20 });
    const content = randomBytes(10);
    const first = await send(named, content, uploadToken);
    const before = await stored();
    const other = {
      ...uploadMetadata({ ...named, ...metadata }),
      ...BYTES,
      ...headers,
      'upload-length': '10',
    };
    expect(await create(stack.baseUrl, uploadToken, other, randomBytes(10))).toMatchObject(TAKEN);
    expect(await stored()).toEqual(before);
    expect((await sender.upload(id)).files).toMatchObject([{ filename: 'a.dcm', status: 'received' }]);
    expect((await receivedBytes(stack, first.file.id)).equals(content)).toBe(true);
  });

  it('is not taken for a slice under its clientId, which stays', async () => {
    const { uploadToken } = await sender.announce({ fileCount: 2, totalBytes: 20 });
    const headers = { ...uploadMetadata({ clientId: 'slice-1' }), ...BYTES, 'upload-length': '10' };
    const slice = await create(stack.baseUrl, uploadToken, { ...headers, ...PARTIAL }, randomBytes(10));
    expect(slice).toMatchObject({ status: 201, offset: 10 });
    expect(await create(stack.baseUrl, uploadToken, headers, randomBytes(10))).toMatchObject(TAKEN);
    expect((await joinSlices(stack.baseUrl, uploadToken, [slice.file.url])).status).toBe(201);
  });
});

describe('a join', () => {
  const token = async (kind: string) =>
    kind === 'announced'
      ? (await sender.announce({ fileCount: 2, totalBytes: 20 })).uploadToken
      : sender.token!;

  it.each(['announced', 'never announced'])(
    'under the clientId of another file of the same size is refused and keeps its slices (%s)',
    async (kind) => {
      const sentBy = await token(kind);
      const named = { clientId: 'scan-1', filename: 'a.dcm' };
      const [whole, other] = [randomBytes(10), randomBytes(10)];
      const first = await send(named, whole, sentBy);
      const slices = await Promise.all(cut(other, 2).map((part) => sendSlice(stack.baseUrl, sentBy, part)));
      const urls = slices.map(({ url }) => url);
      const join = (metadata: Record<string, string>) =>
        joinSlices(stack.baseUrl, sentBy, urls, uploadMetadata(metadata));
      expect(await join({ ...named, filename: 'b.dcm' })).toMatchObject(TAKEN);
      for (const slice of slices) expect(await head(slice)).toMatchObject({ status: 200, offset: 5 });
      const joined = await join({ clientId: 'scan-2', filename: 'b.dcm' });
      expect(joined.status).toBe(201);
      expect((await receivedBytes(stack, joined.file.id)).equals(other)).toBe(true);
      expect((await receivedBytes(stack, first.file.id)).equals(whole)).toBe(true);
    },
  );

  it('under the clientId of a file that is still under way is refused and keeps its slices', async () => {
    const upload = await sender.announce({ fileCount: 2, totalBytes: 100 });
    const named = uploadMetadata({ clientId: 'scan-1', filename: 'a.dcm' });
    const begun = await create(stack.baseUrl, upload.uploadToken, { ...named, 'upload-length': '10' });
    expect(begun.status).toBe(201);
    const slices = await Promise.all(
      cut(randomBytes(10), 2).map((part) => sendSlice(stack.baseUrl, upload.uploadToken, part)),
    );
    const urls = slices.map(({ url }) => url);
    expect(await joinSlices(stack.baseUrl, upload.uploadToken, urls, named)).toMatchObject(TAKEN);
    for (const slice of slices) expect(await head(slice)).toMatchObject({ status: 200, offset: 5 });
  });

  it('that is sent again after its upload was cancelled is told so', async () => {
    const slices = await Promise.all(
      cut(randomBytes(10), 2).map((part) => sendSlice(stack.baseUrl, sender.token!, part)),
    );
    const join = () =>
      joinSlices(
        stack.baseUrl,
        sender.token!,
        slices.map(({ url }) => url),
      );
    expect((await join()).status).toBe(201);
    const [upload] = await listed();
    await cancel(upload!.id);
    expect(await join()).toMatchObject({ status: 410, body: { code: 'GONE' } });
    expect(await listed()).toMatchObject([{ id: upload!.id, status: 'cancelled' }]);
  });
});
