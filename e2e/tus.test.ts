import { createHash } from 'node:crypto';
import http from 'node:http';
import pg from 'pg';
import { Upload as TusUpload } from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { receivedBytes } from './support/received-bytes.js';
import { type Stack, startStack } from './support/stack.js';

let stack: Stack;
let jane: ApiClient;
let other: ApiClient;

beforeAll(async () => {
  stack = await startStack({ worker: false });
  jane = await ApiClient.signUp(stack.baseUrl);
  other = await ApiClient.signUp(stack.baseUrl);
});
afterAll(() => stack?.stop());

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
const random = (length: number) => {
  const data = new Uint8Array(length);
  for (let i = 0; i < length; i += 1) data[i] = (i * 2_654_435_761) >>> 24;
  return data;
};
const stored = (location: string) => receivedBytes(stack, location);
const tus = (token: string, more: Record<string, string> = {}) => ({
  authorization: `Bearer ${token}`,
  'tus-resumable': '1.0.0',
  ...more,
});
const patch = (location: string, token: string, offset: number, body: Uint8Array) =>
  jane.request('PATCH', location, {
    headers: tus(token, {
      'upload-offset': String(offset),
      'content-type': 'application/offset+octet-stream',
    }),
    body: body as Uint8Array<ArrayBuffer>,
  });
const head = async (location: string, token: string) => {
  const answer = await fetch(location, { method: 'HEAD', headers: tus(token) });
  return { status: answer.status, offset: answer.headers.get('upload-offset') };
};

describe('the tus endpoint', () => {
  it('says what it can do, without asking who asks', async () => {
    const answer = await fetch(`${stack.baseUrl}/files`, { method: 'OPTIONS' });
    expect(answer.status).toBe(204);
    expect(answer.headers.get('tus-version')).toBe('1.0.0');
    expect(answer.headers.get('tus-max-size')).toBe(String(2 * 1024 ** 3));
    expect(answer.headers.get('tus-extension')?.split(',')).toEqual(
      expect.arrayContaining([
        'creation',
        'creation-with-upload',
        'creation-defer-length',
        'termination',
        'expiration',
      ]),
    );
  });

  it('takes a file from tus-js-client in chunks, byte for byte', async () => {
    const data = random(3_000_000);
    const upload = await jane.announce({ totalBytes: data.length });
    const location = await new Promise<string>((resolve, reject) => {
      const client = new TusUpload(Buffer.from(data), {
        endpoint: upload.tusEndpoint,
        chunkSize: 1024 * 1024,
        headers: { Authorization: `Bearer ${upload.uploadToken}` },
        metadata: {
          uploadId: upload.id,
          filename: 'CT.dcm',
          filetype: 'application/dicom',
          relativePath: 'a/CT.dcm',
        },
        onSuccess: () => resolve(client.url!),
        onError: reject,
      });
      client.start();
    });
    expect(sha256(await stored(location))).toBe(sha256(data));
    expect(await jane.upload(upload.id)).toMatchObject({
      status: 'received',
      files: [{ filename: 'CT.dcm', relativePath: 'a/CT.dcm', size: data.length, status: 'received' }],
    });
  });

  it('works with an access token and the upload named in the metadata', async () => {
    const upload = await jane.announce({ totalBytes: 10 });
    const answer = await jane.createFile({ uploadToken: jane.token! }, random(10), 'a', {
      'upload-metadata': `uploadId ${btoa(upload.id)}`,
    });
    expect(answer.status).toBe(201);
    expect(await jane.upload(upload.id)).toMatchObject({
      status: 'received',
      files: [{ filename: 'unnamed' }],
    });
  });

  it('keeps what arrived of a request that broke off, and goes on from there', async () => {
    const data = random(400_000);
    const upload = await jane.announce({ totalBytes: data.length });
    const made = await jane.createFile(upload, new Uint8Array(0), 'a', {
      'upload-length': String(data.length),
    });
    const location = made.headers.get('location')!;
    await new Promise<void>((resolve) => {
      const request = http.request(location, {
        method: 'PATCH',
        headers: tus(upload.uploadToken, {
          'upload-offset': '0',
          'content-type': 'application/offset+octet-stream',
          'content-length': String(data.length),
        }),
      });
      request.on('error', () => resolve());
      request.write(data.subarray(0, 150_000), () => setTimeout(() => request.destroy(), 200));
      request.on('close', () => resolve());
    });
    await expect.poll(async () => Number((await head(location, upload.uploadToken)).offset)).toBe(150_000);
    const rest = await patch(location, upload.uploadToken, 150_000, data.subarray(150_000));
    expect(rest.status).toBe(204);
    expect(sha256(await stored(location))).toBe(sha256(data));
  });

  it('makes one file of a creation that is sent again because its answer was lost', async () => {
    const upload = await jane.announce({ totalBytes: 10 });
    const metadata = {
      'upload-metadata': `filename ${btoa('a')},clientId ${btoa('file-1')}`,
      'upload-length': '10',
    };
    const first = await jane.createFile(upload, random(10).subarray(0, 4), 'a', metadata);
    const again = await jane.createFile(upload, random(10).subarray(0, 4), 'a', metadata);
    expect(again.status).toBe(201);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect(again.headers.get('upload-offset')).toBe('4');
    expect((await jane.upload(upload.id)).files).toHaveLength(1);
    const location = first.headers.get('location')!;
    expect((await patch(location, upload.uploadToken, 4, random(10).subarray(4))).status).toBe(204);
    expect(await jane.upload(upload.id)).toMatchObject({ status: 'received' });
  });

  it('goes on with a creation that left a record and no bytes behind', async () => {
    const upload = await jane.announce({ totalBytes: 10 });
    const metadata = {
      'upload-metadata': `filename ${btoa('a')},clientId ${btoa('file-1')}`,
      'upload-length': '10',
    };
    // What a server leaves that is killed between the two.
    const made = await jane.createFile(upload, new Uint8Array(0), 'a', metadata);
    const location = made.headers.get('location')!;
    const again = await jane.createFile(upload, random(10), 'a', metadata);
    expect(again.status).toBe(201);
    expect(again.headers.get('location')).toBe(location);
    expect(sha256(await stored(location))).toBe(sha256(random(10)));
    expect(await jane.upload(upload.id)).toMatchObject({ status: 'received', files: [{ size: 10 }] });
  });

  it('makes one file of many equal creations at once', async () => {
    const upload = await jane.announce({ fileCount: 2, totalBytes: 20 });
    const metadata = {
      'upload-metadata': `filename ${btoa('a')},clientId ${btoa('file-1')}`,
      'upload-length': '10',
    };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => jane.createFile(upload, new Uint8Array(0), 'a', metadata)),
    );
    expect(new Set(answers.map(({ status }) => status)).size).toBeLessThanOrEqual(2);
    expect(answers.every(({ status }) => status === 201 || status === 423)).toBe(true);
    expect(new Set(answers.flatMap(({ headers }) => headers.get('location') ?? [])).size).toBe(1);
    expect((await jane.upload(upload.id)).files).toHaveLength(1);
  });

  it('bounds what unfinished files of one upload can put on the disk', async () => {
    const upload = await jane.announce({ fileCount: 2, totalBytes: 1000 });
    for (let i = 0; i < 30; i += 1) {
      const answer = await jane.createFile(upload, random(900), `f${i}`, { 'upload-length': '1000' });
      expect(answer.status).toBe(201);
    }
    const { files } = await jane.upload(upload.id);
    expect(files.reduce((sum, { size }) => sum + (size ?? 0), 0)).toBeLessThanOrEqual(2000);
    expect(files.map(({ filename }) => filename)).toEqual(['f28', 'f29']);
  });

  it('says when the upload ends, not when the file would', async () => {
    const upload = await jane.announce({ totalBytes: 10 });
    // Another end than the file's creation and the usual time would give.
    const inFiveHours = new Date(Math.floor(Date.now() / 1000) * 1000 + 5 * 3_600_000);
    const database = new pg.Client({ connectionString: stack.databaseUrl });
    await database.connect();
    await database.query('UPDATE uploads SET expires_at = $1 WHERE id = $2', [inFiveHours, upload.id]);
    await database.end();
    const ends = inFiveHours.toUTCString();
    const made = await jane.createFile(upload, random(4), 'a', { 'upload-length': '10' });
    expect(made.headers.get('upload-expires')).toBe(ends);
    const sent = await patch(made.headers.get('location')!, upload.uploadToken, 4, random(2));
    expect(sent.headers.get('upload-expires')).toBe(ends);
  });

  it('gives the metadata back as they came', async () => {
    const upload = await jane.announce({ totalBytes: 10 });
    const metadata = `filename ${btoa('a')},private ${btoa('something of the client')}`;
    const made = await jane.createFile(upload, random(4), 'a', {
      'upload-metadata': metadata,
      'upload-length': '10',
    });
    const answer = await fetch(made.headers.get('location')!, {
      method: 'HEAD',
      headers: tus(upload.uploadToken),
    });
    expect(answer.headers.get('upload-metadata')).toBe(metadata);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('takes every verb as a POST that names it, for clients that can only POST', async () => {
    const upload = await jane.announce({ fileCount: 2, totalBytes: 20 });
    const made = await jane.createFile(upload, random(4), 'a', { 'upload-length': '10' });
    const location = made.headers.get('location')!;
    const as = (method: string, more: Record<string, string> = {}, body?: Uint8Array) =>
      jane.request('POST', location, {
        headers: tus(upload.uploadToken, { 'x-http-method-override': method, ...more }),
        ...(body ? { body: body as Uint8Array<ArrayBuffer> } : {}),
      });
    expect((await as('HEAD')).headers.get('upload-offset')).toBe('4');
    const bytes = { 'upload-offset': '4', 'content-type': 'application/offset+octet-stream' };
    expect((await as('PATCH', bytes, random(10).subarray(4))).status).toBe(204);
    expect(sha256(await stored(location))).toBe(sha256(random(10)));
    expect((await as('DELETE')).status).toBe(204);
    expect((await as('GET')).body).toMatchObject({ status: 400, code: 'MALFORMED_REQUEST' });
  });

  it('drops files that were begun and never finished when all announced ones are there', async () => {
    const upload = await jane.announce({ totalBytes: 10 });
    const lost = await jane.createFile(upload, random(4), 'a', { 'upload-length': '10' });
    await jane.createFile(upload, random(10), 'a');
    expect(await jane.upload(upload.id)).toMatchObject({
      status: 'received',
      files: [{ status: 'received' }],
    });
    expect(await stored(lost.headers.get('location')!)).toHaveLength(0);
  });

  it('takes a file of unknown length and an empty file', async () => {
    const upload = await jane.announce({ fileCount: 2, totalBytes: 10 });
    const made = await jane.request('POST', '/files', {
      headers: tus(upload.uploadToken, { 'upload-defer-length': '1' }),
    });
    const location = made.headers.get('location')!;
    expect((await patch(location, upload.uploadToken, 0, random(6))).status).toBe(204);
    const declared = await jane.request('PATCH', location, {
      headers: tus(upload.uploadToken, {
        'upload-offset': '6',
        'upload-length': '10',
        'content-type': 'application/offset+octet-stream',
      }),
      body: random(4) as Uint8Array<ArrayBuffer>,
    });
    expect(declared.headers.get('upload-offset')).toBe('10');
    expect((await jane.createFile(upload, new Uint8Array(0), 'empty')).status).toBe(201);
    expect(await jane.upload(upload.id)).toMatchObject({ status: 'received', filesReceived: 2 });
  });

  it('removes a file of an open upload and takes it again', async () => {
    const upload = await jane.announce({ totalBytes: 10 });
    const made = await jane.createFile(upload, random(4), 'a', { 'upload-length': '10' });
    const location = made.headers.get('location')!;
    expect((await jane.request('DELETE', location, { headers: tus(upload.uploadToken) })).status).toBe(204);
    expect((await head(location, upload.uploadToken)).status).toBe(404);
    expect((await jane.createFile(upload, random(10), 'a')).status).toBe(201);
    const gone = await jane.request('DELETE', location, { headers: tus(upload.uploadToken) });
    expect(gone.status).toBe(404);
  });
});

describe('what the tus endpoint refuses', () => {
  it('never hands out what was sent', async () => {
    const upload = await jane.announce({ totalBytes: 10 });
    const location = (await jane.createFile(upload, random(10), 'a')).headers.get('location')!;
    const answer = await jane.request('GET', location, { headers: tus(upload.uploadToken) });
    expect(answer.body).toMatchObject({ status: 405, code: 'METHOD_NOT_ALLOWED' });
    expect(answer.headers.get('allow')).toContain('PATCH');
    expect((await ApiClient.anonymous(stack.baseUrl).get('/healthz')).status).toBe(200);
  });

  it('refuses strangers, forged tokens and tokens of other uploads, on every verb', async () => {
    const upload = await jane.announce({ totalBytes: 100 });
    const location = (await jane.createFile(upload, random(4), 'a', { 'upload-length': '10' })).headers.get(
      'location',
    )!;
    const second = await jane.announce();
    const foreign = await other.announce();
    const tokens = [
      ['', 401, 'UNAUTHENTICATED'],
      ['nonsense', 401, 'INVALID_TOKEN'],
      [second.uploadToken, 404, 'NOT_FOUND'],
      [foreign.uploadToken, 404, 'NOT_FOUND'],
      [other.token!, 404, 'NOT_FOUND'],
    ] as const;
    for (const [token, status, code] of tokens) {
      const headers = { ...tus(token), authorization: token === '' ? '' : `Bearer ${token}` };
      if (token === '') Reflect.deleteProperty(headers, 'authorization');
      const guest = ApiClient.anonymous(stack.baseUrl);
      expect((await fetch(location, { method: 'HEAD', headers })).status).toBe(status);
      const bytes = { 'upload-offset': '4', 'content-type': 'application/offset+octet-stream' };
      const sent = await guest.request('PATCH', location, { headers: { ...headers, ...bytes }, body: 'x' });
      expect(sent.body).toMatchObject({ status, code });
      expect((await guest.request('DELETE', location, { headers })).body).toMatchObject({ status, code });
      const metadata = { 'upload-length': '1', 'upload-metadata': `uploadId ${btoa(upload.id)}` };
      const made = await guest.request('POST', '/files', { headers: { ...headers, ...metadata } });
      expect(made.body).toMatchObject({ status, code });
    }
    expect(await head(location, upload.uploadToken)).toEqual({ status: 200, offset: '4' });
  });

  it('looks only at the file whose owner was checked, whatever else stands in the URL', async () => {
    const theirs = await jane.announce({ totalBytes: 100 });
    const victim = (
      await jane.createFile(theirs, random(4), 'victim', { 'upload-length': '10' })
    ).headers.get('location')!;
    const victimId = victim.split('/').at(-1)!;
    const own = await other.announce({ totalBytes: 100 });
    const made = await other.createFile(own, random(2), 'own', { 'upload-length': '10' });
    for (const trick of [`?x=/${victimId}`, `?/${victimId}`, `#/${victimId}`, `?a=1/${victimId}/`]) {
      const url = made.headers.get('location')! + trick;
      expect((await head(url, own.uploadToken)).offset).toBe('2');
    }
    const url = `${made.headers.get('location')}?x=/${victimId}`;
    expect((await patch(url, own.uploadToken, 4, random(6))).status).toBe(409);
    expect((await patch(url, own.uploadToken, 2, random(3))).status).toBe(204);
    expect((await jane.request('DELETE', url, { headers: tus(own.uploadToken) })).status).toBe(204);
    expect(await head(victim, theirs.uploadToken)).toEqual({ status: 200, offset: '4' });
    expect((await patch(victim, theirs.uploadToken, 4, random(10).subarray(4))).status).toBe(204);
    expect(await stored(victim)).toHaveLength(10);
  });

  it('refuses a file larger than the announced upload, and one file too many', async () => {
    const upload = await jane.announce({ fileCount: 2, totalBytes: 20 });
    const large = await jane.createFile(upload, random(21), 'large');
    expect(large.body).toMatchObject({ status: 413, code: 'UPLOAD_TOO_LARGE', totalBytes: 20 });
    await jane.createFile(upload, random(15), 'a');
    expect((await jane.createFile(upload, random(6), 'b')).body).toMatchObject({ status: 413 });
    expect((await jane.createFile(upload, random(5), 'b')).status).toBe(201);
    expect((await jane.createFile(upload, random(0), 'c')).body).toMatchObject({
      status: 409,
      code: 'UPLOAD_NOT_OPEN',
    });
  });

  it('refuses more bytes than a file was created with, and keeps those before', async () => {
    const upload = await jane.announce({ totalBytes: 100 });
    const made = await jane.createFile(upload, random(4), 'a', { 'upload-length': '10' });
    const location = made.headers.get('location')!;
    const answer = await patch(location, upload.uploadToken, 4, random(7));
    expect(answer.body).toMatchObject({ status: 413, code: 'UPLOAD_TOO_LARGE' });
    expect((await head(location, upload.uploadToken)).offset).toBe('4');
  });

  it('refuses a wrong offset, content type, protocol version and length, each by its status', async () => {
    const upload = await jane.announce({ totalBytes: 100 });
    const made = await jane.createFile(upload, random(4), 'a', { 'upload-length': '10' });
    const location = made.headers.get('location')!;
    expect((await patch(location, upload.uploadToken, 3, random(2))).body).toMatchObject({
      status: 409,
      code: 'OFFSET_CONFLICT',
    });
    const typed = await jane.request('PATCH', location, {
      headers: tus(upload.uploadToken, { 'upload-offset': '4', 'content-type': 'application/json' }),
      body: '{}',
    });
    expect(typed.body).toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
    const old = await jane.request('POST', '/files', {
      headers: { ...tus(upload.uploadToken), 'tus-resumable': '0.2.2', 'upload-length': '1' },
    });
    expect(old.body).toMatchObject({ status: 412, code: 'TUS_VERSION_REQUIRED' });
    expect(old.headers.get('tus-version')).toBe('1.0.0');
    for (const length of ['-1', '1e3', 'abc', '']) {
      const answer = await jane.createFile(upload, random(1), 'a', { 'upload-length': length });
      expect([400, 413]).toContain(answer.status);
      expect(answer.headers.get('content-type')).toMatch(/problem\+json/);
    }
  });

  it('refuses metadata that is none, and names that hold NUL', async () => {
    const upload = await jane.announce();
    const broken = await jane.createFile(upload, random(1), 'a', { 'upload-metadata': 'filename !!!,,,' });
    expect(broken.body).toMatchObject({ status: 400, code: 'MALFORMED_REQUEST' });
    const nul = await jane.createFile(upload, random(1), 'a', {
      'upload-metadata': `filename ${btoa('a\0b')}`,
    });
    expect(nul.body).toMatchObject({ status: 422, errors: [{ path: 'Upload-Metadata.filename' }] });
  });

  it('never uses a name as a path', async () => {
    const upload = await jane.announce({ totalBytes: 10 });
    const answer = await jane.createFile(upload, random(10), '../../etc/passwd');
    expect(answer.status).toBe(201);
    expect(await jane.upload(upload.id)).toMatchObject({ files: [{ filename: '../../etc/passwd' }] });
    for (const trick of ['..%2f..%2fserver.log', '%00', 'x/y', `${'a'.repeat(300)}`]) {
      expect((await head(`${stack.baseUrl}/files/${trick}`, upload.uploadToken)).status).toBe(404);
    }
  });

  it('answers every stray path below /files with a problem', async () => {
    const answer = await jane.request('PUT', '/files/some/where', { body: 'x' });
    expect(answer.headers.get('content-type')).toMatch(/problem\+json/);
  });
});
