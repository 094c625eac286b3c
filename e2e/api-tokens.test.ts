import { createHash, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ApiTokenList, CreatedApiToken } from '@relaypacs/core/contract/api-tokens.js';
import type { UploadList } from '@relaypacs/core/contract/uploads.js';
import { decodeJwt, SignJWT } from 'jose';
import pg from 'pg';
import { Upload as TusUpload } from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { type Stack, startStack } from './support/stack.js';

const TOKENS = '/api/v1/me/tokens';
const OFFSET_STREAM = 'application/offset+octet-stream';
/** What is read anew each second is seen by then; the rest is for a busy machine. */
const ABOUT_A_SECOND = { timeout: 3000, interval: 50 };

let stack: Stack;
let db: pg.Client;
let admin: ApiClient;
let jane: ApiClient;
let other: ApiClient;

beforeAll(async () => {
  stack = await startStack({ worker: false });
  db = new pg.Client({ connectionString: stack.databaseUrl });
  await db.connect();
  admin = await ApiClient.signUp(stack.baseUrl);
  jane = await ApiClient.signUp(stack.baseUrl);
  other = await ApiClient.signUp(stack.baseUrl);
});
afterAll(async () => {
  await db?.end();
  await stack?.stop();
});

const request = (more: object = {}) => ({ name: 'Gateway', scopes: ['uploads:write'], ...more });
const create = async (owner: ApiClient, more: object = {}) => {
  const answer = await owner.post<CreatedApiToken>(TOKENS, request(more));
  expect(answer.status).toBe(201);
  return answer.body;
};
const list = async (owner: ApiClient) => (await owner.get<ApiTokenList>(TOKENS)).body.items;
const revoke = (owner: ApiClient, id: string) => owner.request('DELETE', `${TOKENS}/${id}`);
/** A program that has only the token. */
const program = (token: string) => {
  const client = ApiClient.anonymous(stack.baseUrl);
  client.token = token;
  return client;
};
const statusOf = (client: ApiClient) => async () => (await client.get('/api/v1/uploads')).status;

describe('an API token', () => {
  it('is shown when it is made and never again', async () => {
    const before = Date.now();
    const made = await create(jane, { name: ' My gateway ', expiresInDays: 30 });
    expect(made).toEqual({
      id: expect.any(String),
      name: 'My gateway',
      scopes: ['uploads:write'],
      createdAt: expect.any(String),
      expiresAt: expect.any(String),
      token: expect.stringMatching(/^rpt_[A-Za-z0-9_-]{43}$/),
    });
    const days = (Date.parse(made.expiresAt) - before) / 86_400_000;
    expect(days).toBeGreaterThanOrEqual(30);
    expect(days).toBeLessThan(30.01);
    const answer = await jane.get<ApiTokenList>(TOKENS);
    const { token, ...shown } = made;
    expect(answer.body.nextCursor).toBeNull();
    expect(answer.body.items).toContainEqual({ ...shown, lastUsedAt: null });
    expect(JSON.stringify(answer.body)).not.toContain(token);
  });

  it('stands in the API description, its text in one answer only', async () => {
    const { body } = await jane.get<{
      paths: Record<string, object>;
      components: { schemas: Record<string, object> };
    }>('/openapi.json');
    const calls = [TOKENS, `${TOKENS}/{id}`].map((where) => Object.keys(body.paths[where]!));
    expect(calls).toEqual([['get', 'post'], ['delete']]);
    expect(body.components.schemas.CreatedApiToken).toMatchObject({
      properties: { token: { type: 'string' } },
    });
    expect(JSON.stringify(body.components.schemas.ApiTokenList)).not.toContain('"token"');
  });

  it('is kept as its SHA-256 only: neither the database nor the log has it', async () => {
    const { id, token } = await create(jane);
    await program(token).get('/api/v1/uploads');
    const { rows } = await db.query(
      'SELECT token_hash, row_to_json(t)::text AS all FROM api_tokens t WHERE id = $1',
      [id],
    );
    expect(rows[0].token_hash).toEqual(createHash('sha256').update(token).digest());
    expect(rows[0].all).not.toContain(token);
    const { rows: trail } = await db.query('SELECT detail::text FROM audit_events');
    expect(JSON.stringify(trail)).not.toContain(token.slice(4));
    expect(stack.server.log).not.toContain(token.slice(4));
  });

  it('lives for 90 days where nothing else is said, and for two of them nothing is the same', async () => {
    const [one, two] = [await create(jane), await create(jane)];
    expect(Math.round((Date.parse(one.expiresAt) - Date.now()) / 86_400_000)).toBe(90);
    expect(one.token).not.toBe(two.token);
    expect((await list(jane)).map(({ id }) => id)).toEqual(expect.arrayContaining([one.id, two.id]));
  });

  it('leaves its making and its end in the audit trail, by the account and without its name', async () => {
    const { id } = await create(jane, { name: 'Unmistakable', scopes: ['reports:read', 'uploads:write'] });
    await revoke(jane, id);
    const { id: userId } = (await jane.get('/api/v1/me')).body;
    const { rows } = await db.query(
      `SELECT action, actor_id, object_type, object_id, detail, ip, request_id FROM audit_events
       WHERE detail->>'tokenId' = $1 ORDER BY seq`,
      [id],
    );
    const byJane = {
      actor_id: userId,
      object_type: 'user',
      object_id: userId,
      ip: expect.any(String),
      request_id: expect.any(String),
    };
    const scopes = 'reports:read uploads:write';
    expect(rows).toEqual([
      { ...byJane, action: 'api_token.created', detail: { tokenId: id, scopes, expiresInDays: 90 } },
      { ...byJane, action: 'api_token.revoked', detail: { tokenId: id } },
    ]);
  });

  it.each([
    ['no name', { name: undefined }, 'name'],
    ['a line break in the name', { name: 'a\nb' }, 'name'],
    ['U+0000 in the name', { name: 'a\0b' }, 'name'],
    ['a name of 101 characters', { name: 'x'.repeat(101) }, 'name'],
    ['no scope', { scopes: [] }, 'scopes'],
    ['a scope twice', { scopes: ['uploads:write', 'uploads:write'] }, 'scopes'],
    ['a scope there is not', { scopes: ['admin'] }, 'scopes[0]'],
    ['more than a year', { expiresInDays: 366 }, 'expiresInDays'],
    ['no day', { expiresInDays: 0 }, 'expiresInDays'],
    ['a field nobody knows', { userId: '0199a0a0-0000-7000-8000-000000000000' }, 'userId'],
  ])('is not made with %s', async (_what, wrong, field) => {
    const before = await list(jane);
    const answer = await jane.post(TOKENS, request(wrong));
    expect(answer.body).toMatchObject({ status: 422, code: 'VALIDATION_FAILED', errors: [{ path: field }] });
    expect(await list(jane)).toEqual(before);
  });

  it('is not made from something that is no JSON object', async () => {
    expect((await jane.post(TOKENS)).status).toBe(422);
    expect((await jane.post(TOKENS, [request()])).status).toBe(422);
    const text = await jane.request('POST', TOKENS, { headers: { 'content-type': 'text/plain' }, body: 'x' });
    expect(text.body).toMatchObject({ status: 415 });
  });

  it('is made only by an account that is signed in', async () => {
    expect((await ApiClient.anonymous(stack.baseUrl).post(TOKENS, request())).body).toMatchObject({
      status: 401,
      code: 'UNAUTHENTICATED',
    });
    const { uploadToken } = await jane.announce();
    expect((await program(uploadToken).post(TOKENS, request())).status).toBe(401);
    expect((await program(uploadToken).get(TOKENS)).status).toBe(401);
  });

  it('is one of fifty at most, also when many are asked for at once', async () => {
    const owner = await ApiClient.signUp(stack.baseUrl);
    const answers = await Promise.all(Array.from({ length: 53 }, () => owner.post(TOKENS, request())));
    const refused = answers.filter(({ status }) => status !== 201);
    expect(refused.map(({ body }) => [body.status, body.code, body.limit])).toEqual(
      Array.from({ length: 3 }, () => [409, 'API_TOKEN_LIMIT', 50]),
    );
    const all = await list(owner);
    expect(all).toHaveLength(50);
    // Room is made by one that is revoked, and by one that has run out.
    expect((await revoke(owner, all[0]!.id)).status).toBe(204);
    await create(owner);
    expect((await owner.post(TOKENS, request())).status).toBe(409);
    await db.query('UPDATE api_tokens SET expires_at = now() WHERE id = $1', [all[1]!.id]);
    await create(owner);
    expect(await list(owner)).toHaveLength(50);
    // Others are not concerned.
    await create(other);
  });
});

describe('the end of an API token', () => {
  it('comes about a second after it was revoked; it is in no list any more and cannot be revoked again', async () => {
    const { id, token } = await create(jane);
    const gateway = program(token);
    expect(await statusOf(gateway)()).toBe(200);
    expect((await revoke(jane, id)).status).toBe(204);
    await expect.poll(statusOf(gateway), ABOUT_A_SECOND).toBe(401);
    expect((await gateway.get('/api/v1/uploads')).body).toMatchObject({ code: 'INVALID_TOKEN' });
    expect((await list(jane)).map((item) => item.id)).not.toContain(id);
    expect((await revoke(jane, id)).body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });

  it('is nobody else’s to bring about, and an id of nothing looks the same', async () => {
    const { id, token } = await create(jane);
    const answers = await Promise.all([
      revoke(other, id),
      revoke(admin, id),
      revoke(jane, '0199a0a0-0000-7000-8000-000000000000'),
      revoke(jane, 'nothing'),
      revoke(jane, '%00'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    expect(new Set(answers.map(({ body }) => body.detail)).size).toBe(1);
    expect(await statusOf(program(token))()).toBe(200);
    expect((await list(other)).map((item) => item.id)).not.toContain(id);
  });

  it('comes by itself when its time is over', async () => {
    const { id, token } = await create(jane);
    const gateway = program(token);
    expect(await statusOf(gateway)()).toBe(200);
    await db.query('UPDATE api_tokens SET expires_at = now() WHERE id = $1', [id]);
    await expect.poll(statusOf(gateway), ABOUT_A_SECOND).toBe(401);
    expect((await list(jane)).map((item) => item.id)).not.toContain(id);
    expect((await revoke(jane, id)).status).toBe(404);
  });

  it('comes with the end of its account', async () => {
    const leaver = await ApiClient.signUp(stack.baseUrl);
    const { token } = await create(leaver);
    const gateway = program(token);
    expect([await statusOf(gateway)(), await statusOf(leaver)()]).toEqual([200, 200]);
    const setStatus = (status: string) =>
      db.query('UPDATE users SET status = $2 WHERE username = $1', [leaver.username, status]);
    await setStatus('disabled');
    // The access token, whose signature is remembered, is out as fast.
    await expect.poll(statusOf(gateway), ABOUT_A_SECOND).toBe(401);
    await expect.poll(statusOf(leaver), ABOUT_A_SECOND).toBe(401);
    await setStatus('active');
    await expect.poll(statusOf(gateway), ABOUT_A_SECOND).toBe(200);
    await db.query('DELETE FROM users WHERE username = $1', [leaver.username]);
    await expect.poll(statusOf(gateway), ABOUT_A_SECOND).toBe(401);
  });

  it.each([
    ['a token that was never made', `rpt_${'A'.repeat(43)}`],
    ['a token that is too short', 'rpt_abc'],
    ['nothing but the beginning', 'rpt_'],
    ['a token with a strange character', `rpt_${'A'.repeat(42)}%`],
    ['a token of 10,000 characters', `rpt_${'A'.repeat(10_000)}`],
  ])('is where it never began: %s', async (_what, token) => {
    const answer = await program(token).get('/api/v1/uploads');
    expect(answer.body).toMatchObject({ status: 401, code: 'INVALID_TOKEN' });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  it('is not outlived by an access token that was good before', async () => {
    const key = createPrivateKey(readFileSync(path.join(stack.dataDir, 'keys', 'jwt-private-key.pem')));
    const short = await new SignJWT()
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuer('relaypacs')
      .setAudience('relaypacs:api')
      .setSubject(decodeJwt(jane.token!).sub!)
      .setExpirationTime(Math.floor(Date.now() / 1000) + 3)
      .sign(key);
    expect(await statusOf(program(short))()).toBe(200);
    await expect.poll(statusOf(program(short)), { timeout: 6000 }).toBe(401);
  });
});

describe('what an API token may do', () => {
  let uploader: ApiClient;
  let reader: ApiClient;

  beforeAll(async () => {
    uploader = program((await create(jane)).token);
    reader = program((await create(jane, { scopes: ['reports:read'] })).token);
  });

  const NOTHING = '0199a0a0-0000-7000-8000-000000000000';

  it.each([
    ['GET', '/api/v1/me'],
    ['GET', TOKENS],
    ['POST', TOKENS],
    ['DELETE', `${TOKENS}/${NOTHING}`],
  ])('is not the account’s own business: %s %s', async (method, where) => {
    for (const client of [uploader, reader]) {
      const answer = await client.request(method, where);
      expect(answer.body).toMatchObject({
        status: 403,
        code: 'FORBIDDEN',
        detail: expect.stringContaining('Sign in'),
      });
    }
  });

  it('does not end itself or make another', async () => {
    const { id, token } = await create(jane);
    expect((await revoke(program(token), id)).status).toBe(403);
    expect((await program(token).post(TOKENS, request())).status).toBe(403);
    expect(await statusOf(program(token))()).toBe(200);
  });

  it.each([
    ['POST', '/api/v1/uploads'],
    ['GET', '/api/v1/uploads'],
    ['GET', `/api/v1/uploads/${NOTHING}`],
    ['POST', `/api/v1/uploads/${NOTHING}/complete`],
    ['POST', `/api/v1/uploads/${NOTHING}/token`],
    ['POST', `/api/v1/uploads/${NOTHING}/retry`],
    ['POST', `/api/v1/uploads/${NOTHING}/resend`],
    ['PATCH', `/api/v1/uploads/${NOTHING}`],
    ['DELETE', `/api/v1/uploads/${NOTHING}`],
    ['POST', '/files'],
    ['PATCH', `/files/${NOTHING}`],
    ['DELETE', `/files/${NOTHING}`],
    ['GET', '/api/v1/events'],
  ])('needs uploads:write for %s %s', async (method, where) => {
    // What a tus request has to carry, and others do not mind.
    const headers: Record<string, string> = { 'tus-resumable': '1.0.0', 'upload-length': '1' };
    if (method === 'PATCH') Object.assign(headers, { 'content-type': OFFSET_STREAM, 'upload-offset': '0' });
    const answer = await reader.request(method, where, { headers });
    expect(answer.body).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
      detail: expect.stringContaining('uploads:write'),
    });
  });

  it('is to send a study with any tus client that names the upload', async () => {
    const data = Buffer.alloc(2_500_000, 7);
    const upload = await uploader.announce({ totalBytes: data.length });
    const send = (token: string) =>
      new Promise<string>((resolve, reject) => {
        const client = new TusUpload(data, {
          endpoint: `${stack.baseUrl}/files`,
          chunkSize: 1024 * 1024,
          retryDelays: [],
          headers: { Authorization: `Bearer ${token}` },
          metadata: { uploadId: upload.id, filename: 'CT.dcm' },
          onSuccess: () => resolve(client.url!),
          onError: reject,
        });
        client.start();
      });
    await expect(send((await create(other)).token)).rejects.toThrow(/404/);
    await expect(send(reader.token!)).rejects.toThrow(/403/);
    await send(uploader.token!);
    expect(await uploader.upload(upload.id)).toMatchObject({
      status: 'received',
      filesReceived: 1,
      files: [{ filename: 'CT.dcm', size: data.length, offset: data.length }],
    });
  });

  it('is to follow, complete, cancel and hand on uploads, as their owner does', async () => {
    const upload = await uploader.announce({ fileCount: 2, totalBytes: 20 });
    const fresh = await uploader.post<{ uploadToken: string }>(`/api/v1/uploads/${upload.id}/token`);
    expect((await uploader.createFile(fresh.body, new Uint8Array(10), 'a')).status).toBe(201);
    const own = `uploadId ${btoa(upload.id)}`;
    const made = await uploader.createFile({ uploadToken: uploader.token! }, new Uint8Array(5), 'b', {
      'upload-length': '10',
      'upload-metadata': own,
    });
    const tus = { authorization: `Bearer ${uploader.token}`, 'tus-resumable': '1.0.0' };
    const head = await fetch(made.headers.get('location')!, { method: 'HEAD', headers: tus });
    expect(head.headers.get('upload-offset')).toBe('5');
    const removed = await fetch(made.headers.get('location')!, { method: 'DELETE', headers: tus });
    expect(removed.status).toBe(204);
    expect((await uploader.post(`/api/v1/uploads/${upload.id}/complete`, {})).body).toMatchObject({
      code: 'FILES_INCOMPLETE',
    });
    expect((await uploader.post(`/api/v1/uploads/${upload.id}/retry`)).body).toMatchObject({
      code: 'UPLOAD_STATE_CONFLICT',
    });
    expect((await uploader.request('DELETE', `/api/v1/uploads/${upload.id}`)).status).toBe(204);
    // It is the account that acts: what its token did is its own.
    expect(await jane.upload(upload.id)).toMatchObject({ status: 'cancelled' });
    const { rows } = await db.query(
      `SELECT DISTINCT u.username FROM audit_events a JOIN users u ON u.id = a.actor_id WHERE a.object_id = $1`,
      [upload.id],
    );
    expect(rows).toEqual([{ username: jane.username }]);
  });

  it('concerns the uploads of its account and no others, also where the account is an administrator', async () => {
    const [own, foreign] = [await admin.announce(), await jane.announce()];
    const script = program((await create(admin)).token);
    expect((await admin.get(`/api/v1/uploads/${foreign.id}`)).status).toBe(200);
    expect((await script.get(`/api/v1/uploads/${own.id}`)).status).toBe(200);
    for (const [method, where] of [
      ['GET', foreign.id],
      ['POST', `${foreign.id}/complete`],
      ['POST', `${foreign.id}/token`],
      ['POST', `${foreign.id}/retry`],
      ['POST', `${foreign.id}/resend`],
      ['PATCH', foreign.id],
      ['DELETE', foreign.id],
    ] as const) {
      expect((await script.request(method, `/api/v1/uploads/${where}`)).status).toBe(404);
    }
    // Nor is it an administrator of its own uploads.
    expect((await script.post(`/api/v1/uploads/${own.id}/resend`)).status).toBe(403);
    const { id: janeId } = (await jane.get('/api/v1/me')).body;
    const { id: adminId } = (await admin.get('/api/v1/me')).body;
    for (const query of ['', `&userId=${janeId}`]) {
      const { body } = await script.get<UploadList>(`/api/v1/uploads?limit=100${query}`);
      expect(body.items.map(({ id }) => id)).toContain(own.id);
      expect(new Set(body.items.map(({ userId }) => userId))).toEqual(new Set([adminId]));
    }
    const all = await admin.get<UploadList>(`/api/v1/uploads?userId=${janeId}`);
    expect(all.body.items.map(({ id }) => id)).toContain(foreign.id);
  });
});

describe('a stream of events by API token', () => {
  const open = async (token: string) => {
    const stop = new AbortController();
    const response = await fetch(`${stack.baseUrl}/api/v1/events`, {
      headers: { authorization: `Bearer ${token}` },
      signal: stop.signal,
    });
    const stream = { status: response.status, text: '', isOpen: true, close: () => stop.abort() };
    const read = async () => {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) stream.text += chunk;
      stream.isOpen = false;
    };
    read().catch(() => {});
    return stream;
  };

  it('tells of the account’s uploads only, also an administrator’s, and ends when the token is revoked', async () => {
    const [short, long] = [await create(admin), await create(admin, { expiresInDays: 365 })];
    const [ends, stays] = [await open(short.token), await open(long.token)];
    const everything = await open(admin.token!);
    expect([ends.status, stays.status]).toEqual([200, 200]);
    const hears = async (own: string, foreign: string) => {
      await expect.poll(() => stays.text).toContain(own);
      await expect.poll(() => everything.text).toContain(foreign);
      expect(stays.text).not.toContain(foreign);
    };
    const foreign = await jane.announce();
    await hears((await admin.announce()).id, foreign.id);
    expect((await revoke(admin, short.id)).status).toBe(204);
    await expect.poll(() => ends.isOpen, { timeout: 25_000 }).toBe(false);
    // The others were looked at as well, and are what they were.
    const later = await jane.announce();
    await hears((await admin.announce()).id, later.id);
    expect([stays.isOpen, everything.isOpen]).toEqual([true, true]);
    for (const stream of [stays, everything]) stream.close();
  });
});

describe('the last use of an API token', () => {
  const lastUse = async (id: string) => (await list(jane)).find((item) => item.id === id)?.lastUsedAt;
  const setScopes = (id: string, scopes: string) =>
    db.query('UPDATE api_tokens SET scopes = $2 WHERE id = $1', [id, scopes]);

  it('is noted, once a minute at most', async () => {
    const { id, token } = await create(jane);
    const gateway = program(token);
    expect(await lastUse(id)).toBeNull();
    await gateway.get('/api/v1/uploads');
    await expect.poll(() => lastUse(id)).not.toBeNull();
    const first = await lastUse(id);
    expect(Math.abs(Date.parse(first!) - Date.now())).toBeLessThan(10_000);
    // The server has read the token again when it knows of other scopes: twice, without noting anything.
    for (const [scopes, status] of [
      ['{reports:read}', 403],
      ['{uploads:write}', 200],
    ] as const) {
      await setScopes(id, scopes);
      await expect.poll(statusOf(gateway), ABOUT_A_SECOND).toBe(status);
    }
    expect(await lastUse(id)).toBe(first);
    await db.query(`UPDATE api_tokens SET last_used_at = now() - interval '61 seconds' WHERE id = $1`, [id]);
    const again = async () => {
      await gateway.get('/api/v1/uploads');
      return Date.now() - Date.parse((await lastUse(id))!);
    };
    await expect.poll(again, ABOUT_A_SECOND).toBeLessThan(10_000);
  });

  it('fails no request when it cannot be noted', async () => {
    await db.query(`
      CREATE FUNCTION refuse_api_token_use() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'no room for remarks'; END $$`);
    await db.query(`CREATE TRIGGER refuse_use BEFORE UPDATE OF last_used_at ON api_tokens
      FOR EACH ROW EXECUTE FUNCTION refuse_api_token_use()`);
    try {
      const { token } = await create(jane);
      expect(await statusOf(program(token))()).toBe(200);
      await expect.poll(() => stack.server.log).toContain('The use of an API token could not be noted');
      expect(await statusOf(program(token))()).toBe(200);
    } finally {
      await db.query('DROP TRIGGER refuse_use ON api_tokens');
      await db.query('DROP FUNCTION refuse_api_token_use');
    }
  });
});
