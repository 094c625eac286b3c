import type { UploadDetail, UploadList } from '@relaypacs/core/contract/uploads.js';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { type Stack, startStack } from './support/stack.js';

let stack: Stack;
let admin: ApiClient;
let jane: ApiClient;
let other: ApiClient;

beforeAll(async () => {
  stack = await startStack({ worker: false, env: { MAX_UPLOAD_BYTES: '5000000' } });
  admin = await ApiClient.signUp(stack.baseUrl);
  jane = await ApiClient.signUp(stack.baseUrl);
  other = await ApiClient.signUp(stack.baseUrl);
});
afterAll(() => stack?.stop());

const study = { patientName: 'Roe^Mary', studyDate: '2026-03-04', modality: 'mr', serviceLevel: 'stat' };
const announcement = { ...study, fileCount: 2, totalBytes: 100 };
const bytes = (length: number) => new Uint8Array(length).fill(7);

describe('announcing an upload', () => {
  it('answers with everything a tus client needs', async () => {
    const before = Date.now();
    const { status, body } = await jane.post('/api/v1/uploads', { ...announcement, forceUpload: true });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      status: 'created',
      tusEndpoint: `${stack.baseUrl}/files`,
      checksumAlgorithm: 'sha256',
      chunkSize: 8 * 1024 * 1024,
    });
    const hours = (Date.parse(String(body.expiresAt)) - before) / 3_600_000;
    expect(hours).toBeCloseTo(24, 1);
  });

  it('names each wrong, missing and unknown field', async () => {
    const { status, body } = await jane.post('/api/v1/uploads', {
      patientName: '  ',
      studyDate: '2026-02-30',
      modality: 'CT',
      serviceLevel: 'urgent',
      fileCount: 0,
      totalBytes: 1,
      patient: 'x',
    });
    expect(status).toBe(422);
    const paths = (body.errors as Array<{ path: string }>).map((error) => error.path).sort();
    expect(paths).toEqual(['fileCount', 'patient', 'patientName', 'serviceLevel', 'studyDate']);
  });

  it('refuses more bytes than an upload may hold', async () => {
    const { body } = await jane.post('/api/v1/uploads', { ...announcement, totalBytes: 5_000_001 });
    expect(body).toMatchObject({ status: 413, code: 'UPLOAD_TOO_LARGE' });
  });

  it('warns of the same patient, date and modality within 30 days, unless told to go on', async () => {
    const first = await other.post('/api/v1/uploads', announcement);
    expect(first.status).toBe(201);
    const again = await other.post('/api/v1/uploads', {
      ...announcement,
      patientName: 'roe, mary',
      modality: 'MR',
    });
    expect(again.status).toBe(409);
    expect(again.body).toMatchObject({
      code: 'DUPLICATE_STUDY',
      existing: { id: first.body.id, status: 'created', createdAt: expect.any(String) },
    });
    expect((await other.post('/api/v1/uploads', { ...announcement, force_upload: true })).status).toBe(201);
    const otherDay = { ...announcement, studyDate: '2026-03-05' };
    expect((await other.post('/api/v1/uploads', otherDay)).status).toBe(201);
  });

  it('warns all but the first of several that come at once', async () => {
    const hasty = await ApiClient.signUp(stack.baseUrl);
    // Several rounds: in the first the connections are still being made, one after the other.
    for (const modality of ['CT', 'MR', 'US', 'DX']) {
      const answers = await Promise.all(
        Array.from({ length: 6 }, () => hasty.post('/api/v1/uploads', { ...announcement, modality })),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409]);
    }
  });

  it('refuses dates that no calendar has and text that no database keeps', async () => {
    for (const wrong of [
      { studyDate: '0000-01-01' },
      { patientBirthDate: '0000-01-01' },
      { patientName: 'a\0b' },
    ]) {
      const { body } = await jane.post('/api/v1/uploads', { ...announcement, ...wrong });
      expect(body).toMatchObject({ status: 422, errors: [{ path: Object.keys(wrong)[0] }] });
    }
    for (const query of ['q=%00', 'from=0000-01-01', 'to=0000-01-01', 'cursor=%00', 'userId=%00']) {
      expect((await jane.get(`/api/v1/uploads?${query}`)).body).toMatchObject({ status: 422 });
    }
  });

  it("does not tell of other people's uploads when it warns", async () => {
    expect((await admin.post('/api/v1/uploads', announcement)).status).toBe(201);
  });

  it('needs a signed-in account', async () => {
    const answer = await ApiClient.anonymous(stack.baseUrl).post('/api/v1/uploads', announcement);
    expect(answer.body).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
  });
});

describe('looking at uploads', () => {
  it('pages through own uploads, newest first', async () => {
    const reader = await ApiClient.signUp(stack.baseUrl);
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) ids.push((await reader.announce()).id);
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: UploadList = (
        await reader.get<UploadList>(`/api/v1/uploads?limit=2${cursor && `&cursor=${cursor}`}`)
      ).body;
      seen.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(ids.reverse());
  });

  it('filters by status, service level, modality, date and text', async () => {
    const reader = await ApiClient.signUp(stack.baseUrl);
    const wanted = await reader.announce({
      modality: 'US',
      studyDate: '2025-05-05',
      patientName: 'Percent%_Sign',
    });
    await reader.announce();
    for (const query of [
      'modality=us',
      'from=2025-05-01&to=2025-05-31',
      'q=percent%25_s',
      'status=created&modality=US',
    ]) {
      const { body } = await reader.get<UploadList>(`/api/v1/uploads?${query}`);
      expect(body.items.map((item) => item.id)).toEqual([wanted.id]);
    }
    expect((await reader.get<UploadList>('/api/v1/uploads?q=%25')).body.items).toHaveLength(1);
    expect((await reader.get('/api/v1/uploads?status=lost')).body).toMatchObject({ status: 422 });
    expect((await reader.get('/api/v1/uploads?cursor=x')).body).toMatchObject({ status: 422 });
  });

  it('shows nobody but the owner and an administrator an upload', async () => {
    const { id } = await jane.announce();
    expect((await jane.get(`/api/v1/uploads/${id}`)).status).toBe(200);
    expect((await admin.get(`/api/v1/uploads/${id}`)).status).toBe(200);
    const foreign = await other.get(`/api/v1/uploads/${id}`);
    const absent = await other.get('/api/v1/uploads/0199a0a0-0000-7000-8000-000000000000');
    expect([foreign.status, absent.status]).toEqual([404, 404]);
    expect(foreign.body.detail).toBe(absent.body.detail);
    expect((await other.get('/api/v1/uploads/%00')).status).toBe(404);
    const list = await other.get<UploadList>(
      `/api/v1/uploads?userId=${(await jane.get('/api/v1/me')).body.id}`,
    );
    expect(list.body.items.every((item) => item.id !== id)).toBe(true);
  });

  it('tells each file, its offset, and what happened when', async () => {
    const upload = await jane.announce({ fileCount: 2, totalBytes: 30 });
    await jane.createFile(upload, bytes(10), 'whole.dcm');
    await jane.createFile(upload, bytes(5), 'part.dcm', { 'upload-length': '20' });
    const detail = await jane.upload(upload.id);
    expect(detail).toMatchObject({ status: 'uploading', filesReceived: 1, fileCount: 2, problem: null });
    expect(detail.files).toMatchObject([
      { filename: 'whole.dcm', size: 10, offset: 10, status: 'received' },
      { filename: 'part.dcm', size: 20, offset: 5, status: 'uploading' },
    ]);
    expect(detail.timeline.map(({ event }) => event)).toEqual(['created', 'uploading']);
  });

  it('streams a hint to the owner when an upload changes, and to nobody else', async () => {
    const open = async (client: ApiClient) => {
      const stop = new AbortController();
      const stream = await fetch(`${stack.baseUrl}/api/v1/events`, {
        headers: { authorization: `Bearer ${client.token}` },
        signal: stop.signal,
      });
      const chunks: string[] = [];
      const reading = (async () => {
        for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) chunks.push(chunk);
      })().catch(() => {});
      const end = () => {
        stop.abort();
        return reading;
      };
      return { chunks, end };
    };
    const own = await open(jane);
    const foreign = await open(other);
    const { id } = await jane.announce();
    await expect.poll(() => own.chunks.join('')).toContain(`"uploadId":"${id}"`);
    expect(own.chunks.join('')).toMatch(/^event: ?upload$/m);
    // The other's stream works: it hears of the other's own upload, and of nothing before it.
    const theirs = await other.announce();
    await expect.poll(() => foreign.chunks.join('')).toContain(theirs.id);
    expect(foreign.chunks.join('')).not.toContain(id);
    await Promise.all([own.end(), foreign.end()]);
  });
});

describe('a stream of events', () => {
  /** Opens one; `ended` resolves when the server ends it. */
  const open = async (client: ApiClient) => {
    const stop = new AbortController();
    const response = await fetch(`${stack.baseUrl}/api/v1/events`, {
      headers: { authorization: `Bearer ${client.token}` },
      signal: stop.signal,
    });
    const stream = { isOpen: true, close: () => stop.abort() };
    response.body!.pipeTo(new WritableStream()).then(
      () => {
        stream.isOpen = false;
      },
      () => {},
    );
    return stream;
  };

  it('ends when the account has twenty newer ones', async () => {
    const streams: Awaited<ReturnType<typeof open>>[] = [];
    for (let i = 0; i < 21; i += 1) streams.push(await open(jane));
    await expect.poll(() => streams.map((stream) => stream.isOpen).indexOf(true)).toBe(1);
    expect(streams.slice(1).every((stream) => stream.isOpen)).toBe(true);
    for (const stream of streams) stream.close();
  });

  it('ends when the account is disabled, well before its token runs out', async () => {
    const leaver = await ApiClient.signUp(stack.baseUrl);
    const [gone, stays] = [await open(leaver), await open(jane)];
    const db = new pg.Client({ connectionString: stack.databaseUrl });
    await db.connect();
    await db.query(`UPDATE users SET status = 'disabled' WHERE username = $1`, [leaver.username]);
    await db.end();
    await expect.poll(() => gone.isOpen, { timeout: 25_000 }).toBe(false);
    expect(stays.isOpen).toBe(true);
    stays.close();
  });
});

describe('ending the transfer', () => {
  it('completes by itself with the last file, and completing again changes nothing', async () => {
    const upload = await jane.announce({ fileCount: 2, totalBytes: 20 });
    await jane.createFile(upload, bytes(10), 'a');
    await jane.createFile(upload, bytes(10), 'b');
    expect(await jane.upload(upload.id)).toMatchObject({ status: 'received', filesReceived: 2 });
    for (let i = 0; i < 2; i += 1) {
      expect((await jane.post(`/api/v1/uploads/${upload.id}/complete`)).body).toEqual({
        id: upload.id,
        status: 'received',
      });
    }
  });

  it('says which files are missing when it is completed too early', async () => {
    const upload = await jane.announce({ fileCount: 3, totalBytes: 60 });
    await jane.createFile(upload, bytes(10), 'a');
    await jane.createFile(upload, bytes(5), 'half', { 'upload-length': '20' });
    const { status, body } = await jane.post(`/api/v1/uploads/${upload.id}/complete`, {});
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: 'FILES_INCOMPLETE', received: 1, expected: 3 });
    expect(body.missing).toMatchObject([{ filename: 'half', size: 20 }]);
    expect(await jane.upload(upload.id)).toMatchObject({ status: 'uploading' });
  });

  it('refuses a size that is not the one that arrived', async () => {
    const upload = await jane.announce({ fileCount: 2, totalBytes: 20 });
    await jane.createFile(upload, bytes(10), 'a');
    const file = (await jane.upload(upload.id)).files[0]!;
    const answer = await jane.post(`/api/v1/uploads/${upload.id}/complete`, {
      files: [{ id: file.id, size: 11 }],
    });
    expect(answer.body).toMatchObject({ status: 409, code: 'CHECKSUM_CONFLICT', fileId: file.id });
  });

  it('takes the digests of very many files without holding others up', async () => {
    const count = 20_000;
    const upload = await jane.announce({ fileCount: count, totalBytes: count });
    const db = new pg.Client({ connectionString: stack.databaseUrl });
    await db.connect();
    try {
      await db.query(
        `INSERT INTO upload_files (id, upload_id, filename, size, status)
         SELECT gen_random_uuid(), $1, 'f' || n, 1, 'received' FROM generate_series(1, $2::int) AS n`,
        [upload.id, count],
      );
      const { rows } = await db.query<{ id: string }>('SELECT id FROM upload_files WHERE upload_id = $1', [
        upload.id,
      ]);
      const sha256 = 'ab'.repeat(32);
      const files = rows.map(({ id }) => ({ id, size: 1, sha256 }));
      const started = performance.now();
      const answer = await jane.post(`/api/v1/uploads/${upload.id}/complete`, { files });
      expect(answer.status).toBe(202);
      expect(performance.now() - started).toBeLessThan(5000);
      const { rows: kept } = await db.query(
        `SELECT count(*)::int AS count FROM upload_files
         WHERE upload_id = $1 AND announced_sha256 = decode($2, 'hex') AND announced_md5 IS NULL`,
        [upload.id, sha256],
      );
      expect(kept).toEqual([{ count }]);
    } finally {
      await db.end();
    }
  });

  it('gives the owner a fresh token while the upload is open', async () => {
    const upload = await jane.announce({ fileCount: 1, totalBytes: 10 });
    const fresh = await jane.post<{ uploadToken: string }>(`/api/v1/uploads/${upload.id}/token`);
    expect(fresh.status).toBe(200);
    expect((await other.post(`/api/v1/uploads/${upload.id}/token`)).status).toBe(404);
    expect((await jane.createFile(fresh.body, bytes(10), 'a')).status).toBe(201);
    expect((await jane.post(`/api/v1/uploads/${upload.id}/token`)).body).toMatchObject({
      code: 'UPLOAD_NOT_OPEN',
    });
  });

  it('cancels: no more bytes are taken and those that came are gone', async () => {
    const upload = await jane.announce({ fileCount: 1, totalBytes: 20 });
    const made = await jane.createFile(upload, bytes(5), 'half', { 'upload-length': '20' });
    expect((await other.request('DELETE', `/api/v1/uploads/${upload.id}`)).status).toBe(404);
    expect((await jane.request('DELETE', `/api/v1/uploads/${upload.id}`)).status).toBe(204);
    expect((await jane.request('DELETE', `/api/v1/uploads/${upload.id}`)).status).toBe(204);
    const head = await fetch(made.headers.get('location')!, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${upload.uploadToken}`, 'tus-resumable': '1.0.0' },
    });
    expect(head.status).toBe(410);
    expect((await jane.createFile(upload, bytes(5), 'again')).body).toMatchObject({
      status: 410,
      code: 'GONE',
    });
    const detail: UploadDetail = await jane.upload(upload.id);
    expect(detail).toMatchObject({ status: 'cancelled', files: [{ offset: 0 }] });
  });

  it('has nothing to retry unless delivery failed', async () => {
    const upload = await jane.announce();
    const answer = await jane.post(`/api/v1/uploads/${upload.id}/retry`);
    expect(answer.body).toMatchObject({ status: 409, code: 'UPLOAD_STATE_CONFLICT' });
  });
});

it('tells how much has arrived, beside what was announced', async () => {
  const upload = await jane.announce({ fileCount: 2, totalBytes: 5000 });
  const announced = { fileCount: 2, totalBytes: 5000 };
  await jane.createFile(upload, bytes(700), 'a');
  await jane.createFile(upload, bytes(5), 'half', { 'upload-length': '20' });
  const arriving = { ...announced, filesReceived: 1, bytesReceived: 700 };
  expect(await jane.upload(upload.id)).toMatchObject(arriving);
  await jane.createFile(upload, bytes(30), 'b');
  expect(await jane.upload(upload.id)).toMatchObject({
    ...announced,
    status: 'received',
    filesReceived: 2,
    bytesReceived: 730,
  });
});

describe('whose an upload is', () => {
  it('is told to a signed-in administrator, and to nobody else', async () => {
    const clinic = await ApiClient.signUp(stack.baseUrl, 'Clinician', 'Hill Clinic');
    const { id } = await clinic.announce();
    const sender = { username: clinic.username, fullName: null, facility: 'Hill Clinic' };
    expect(await admin.upload(id)).toMatchObject({ sender });
    const listOf = async (client: ApiClient) =>
      (await client.get<UploadList>('/api/v1/uploads?limit=100')).body.items.find((each) => each.id === id);
    expect(await listOf(admin)).toMatchObject({ sender });
    expect(await clinic.upload(id)).not.toHaveProperty('sender');
    expect(await listOf(clinic)).not.toHaveProperty('sender');
    const own = await admin.announce();
    const made = await admin.post('/api/v1/me/tokens', { name: 'script', scopes: ['uploads:write'] });
    const program = ApiClient.anonymous(stack.baseUrl);
    program.token = String(made.body.token);
    expect(await program.upload(own.id)).not.toHaveProperty('sender');
  });
});

describe('the server', () => {
  it('says that it is alive, ready, and what its API is', async () => {
    const guest = ApiClient.anonymous(stack.baseUrl);
    expect((await guest.get('/healthz')).body).toEqual({ status: 'ok' });
    expect((await guest.get('/readyz')).body).toMatchObject({
      status: 'ready',
      checks: { database: true, storage: true },
    });
    const { body } = await guest.get<{ openapi: string; paths: object }>('/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining(['/api/v1/uploads', '/files', '/api/v1/events']),
    );
  });

  it('sends a strict content security policy and forbids keeping answers', async () => {
    const answer = await jane.get('/api/v1/uploads');
    expect(answer.headers.get('content-security-policy')).toMatch(/script-src 'self'(;|$)/);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('logs one JSON line a request, with its id and user and without a patient', async () => {
    const marker = 'Unmistakable^Name';
    await jane.announce({ patientName: marker });
    await jane.get(`/api/v1/uploads?q=${marker}`);
    const lines = stack.server.log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const requests = lines.filter((line) => line.message === 'request' && line.path === '/api/v1/uploads');
    expect(requests.at(-1)).toMatchObject({
      service: 'server',
      requestId: expect.any(String),
      userId: expect.any(String),
    });
    expect(stack.server.log).not.toContain('Unmistakable');
  });
});
