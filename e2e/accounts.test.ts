import { createPrivateKey } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { createRemoteJWKSet, decodeJwt, jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../scripts/project-root.js';
import { ApiClient } from './support/api-client.js';
import { ServiceProcess } from './support/service-process.js';
import { type Stack, startStack } from './support/stack.js';

const PASSWORD = 'Correct-horse-7-battery';
let stack: Stack;
let anybody: ApiClient;

beforeAll(async () => {
  stack = await startStack({ worker: false });
  anybody = ApiClient.anonymous(stack.baseUrl);
});
afterAll(() => stack?.stop());

const account = (username: string, more: object = {}) => ({
  username,
  email: `${username}@example.org`,
  password: PASSWORD,
  role: 'Clinician',
  ...more,
});
const login = (username: string, query = '') =>
  anybody.post<{ accessToken: string; refreshToken: string; expiresIn: number; user: { role: string } }>(
    `/api/v1/auth/login${query}`,
    { username, password: PASSWORD },
  );
const refresh = (refreshToken: string) =>
  anybody.post<{ accessToken: string; refreshToken: string; code: string }>('/api/v1/auth/refresh', {
    refreshToken,
  });

describe('accounts', () => {
  it('makes the first account an active administrator, whatever it asks for', async () => {
    const answer = await anybody.post('/api/v1/auth/register', account('first', { role: 'Radiographer' }));
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ pendingApproval: false, user: { role: 'Admin', status: 'active' } });
    expect(JSON.stringify(answer.body)).not.toContain('passwordHash');
  });

  it('lets clinicians and radiographers in at once and makes radiologists and admins wait', async () => {
    for (const [username, role, pendingApproval] of [
      ['clin', 'Clinician', false],
      ['grapher', 'radiographer', false],
      ['ologist', 'Radiologist', true],
      ['boss', 'Admin', true],
    ] as const) {
      const answer = await anybody.post('/api/v1/auth/register', account(username, { role }));
      expect(answer.body).toMatchObject({ pendingApproval });
      expect((await login(username)).status).toBe(pendingApproval ? 403 : 200);
    }
    expect((await login('ologist')).body).toMatchObject({ code: 'ACCOUNT_PENDING' });
  });

  it('names every rule a weak password breaks, as a problem document', async () => {
    const answer = await anybody.post('/api/v1/auth/register', account('weak', { password: 'short' }));
    expect(answer.status).toBe(422);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.headers.get('x-request-id')).toBe(answer.body.requestId);
    const messages = (answer.body.errors as Array<{ path: string; message: string }>).map(
      (error) => error.message,
    );
    expect(messages).toHaveLength(4);
    expect(messages.join()).toMatch(/12 characters.*upper-case.*digit.*special/);
  });

  it('refuses unknown fields, taken names and taken addresses in any case', async () => {
    const unknown = await anybody.post('/api/v1/auth/register', account('extra', { isAdmin: true }));
    expect(unknown.body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ path: 'isAdmin' }] });
    await anybody.post('/api/v1/auth/register', account('taken'));
    const name = await anybody.post(
      '/api/v1/auth/register',
      account('TAKEN', { email: 'other@example.org' }),
    );
    expect(name.body).toMatchObject({ status: 409, code: 'USERNAME_TAKEN' });
    const email = await anybody.post(
      '/api/v1/auth/register',
      account('taken2', { email: 'Taken@Example.org' }),
    );
    expect(email.body).toMatchObject({ status: 409, code: 'EMAIL_TAKEN' });
  });

  it('answers a wrong password and an unknown name alike', async () => {
    await anybody.post('/api/v1/auth/register', account('real'));
    const wrong = await anybody.post('/api/v1/auth/login', { username: 'real', password: 'not-this-One-9' });
    const nobody = await anybody.post('/api/v1/auth/login', {
      username: 'nobody',
      password: 'not-this-One-9',
    });
    expect([wrong.status, nobody.status]).toEqual([401, 401]);
    expect({ ...wrong.body, requestId: '' }).toEqual({ ...nobody.body, requestId: '' });
  });

  it('sends the refresh token in a cookie scripts cannot read, or in the body where that is asked for', async () => {
    const withCookie = await login('first');
    expect(withCookie.body.refreshToken).toBeUndefined();
    expect(withCookie.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Strict/);
    const cookie = withCookie.headers.get('set-cookie')!.split(';')[0]!;
    const renewed = await anybody.request('POST', '/api/v1/auth/refresh', { headers: { cookie } });
    expect(renewed.status).toBe(200);
    expect((await login('first', '?tokenDelivery=body')).body.refreshToken).toEqual(expect.any(String));
  });

  it('rotates refresh tokens and ends the session when one is used twice', async () => {
    const first = (await login('first', '?tokenDelivery=body')).body.refreshToken;
    const second = (await refresh(first)).body.refreshToken;
    expect(second).not.toBe(first);
    expect((await refresh(first)).body).toMatchObject({ code: 'INVALID_TOKEN', status: 401 });
    // The honest holder is out as well: nobody can tell who is who.
    expect((await refresh(second)).status).toBe(401);
  });

  it('leaves no token alive when an old one is used again while the newest is exchanged', async () => {
    for (let round = 0; round < 8; round += 1) {
      const old = (await login('first', '?tokenDelivery=body')).body.refreshToken;
      const newest = (await refresh(old)).body.refreshToken;
      const answers = await Promise.all([refresh(newest), refresh(old), refresh(newest), refresh(old)]);
      const alive = answers.flatMap(({ status, body }) => (status === 200 ? [body.refreshToken] : []));
      for (const token of [newest, ...alive]) expect((await refresh(token)).status).toBe(401);
    }
  });

  it('ends the session at logout', async () => {
    const { refreshToken } = (await login('first', '?tokenDelivery=body')).body;
    expect((await anybody.post('/api/v1/auth/logout', { refreshToken })).status).toBe(204);
    expect((await refresh(refreshToken)).status).toBe(401);
  });

  it('shows the signed-in account, and asks others to sign in', async () => {
    const { accessToken } = (await login('first')).body;
    const me = await anybody.request('GET', '/api/v1/me', {
      headers: { authorization: `Bearer ${accessToken}` },
    });
    expect(me.body).toMatchObject({
      username: 'first',
      role: 'Admin',
      preferences: { defaultServiceLevel: 'routine' },
    });
    const none = await anybody.get('/api/v1/me');
    expect(none.body).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    expect(none.headers.get('www-authenticate')).toBe('Bearer');
    const forged = `${accessToken.slice(0, -6)}AAAAAA`;
    const wrong = await anybody.request('GET', '/api/v1/me', {
      headers: { authorization: `Bearer ${forged}` },
    });
    expect(wrong.body).toMatchObject({ status: 401, code: 'INVALID_TOKEN' });
  });

  it('signs access tokens with RS256 for 60 minutes, checkable by the published keys', async () => {
    const { accessToken, expiresIn } = (await login('first')).body;
    expect(expiresIn).toBe(3600);
    const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', stack.baseUrl));
    const { payload, protectedHeader } = await jwtVerify(accessToken, keys, { issuer: 'relaypacs' });
    expect(protectedHeader.alg).toBe('RS256');
    expect(payload.exp! - payload.iat!).toBe(3600);
  });

  it('lets in no token of another kind than the two it makes', async () => {
    const me = (await login('first')).body;
    const key = createPrivateKey(readFileSync(path.join(stack.dataDir, 'keys', 'jwt-private-key.pem')));
    const { sub } = decodeJwt(me.accessToken);
    const status = async (audience: string | string[], claims = {}) => {
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256' })
        .setIssuer('relaypacs')
        .setAudience(audience)
        .setSubject(sub!)
        .setExpirationTime('5m')
        .sign(key);
      const headers = { authorization: `Bearer ${token}` };
      return (await anybody.request('GET', '/api/v1/me', { headers })).status;
    };
    expect(await status('relaypacs:api')).toBe(200);
    expect(await status('relaypacs:upload')).toBe(401);
    expect(await status(['relaypacs:upload', 'elsewhere'], { uploadId: 'x' })).toBe(401);
    expect(await status('elsewhere')).toBe(401);
  });

  it('keeps its keys in files only it can read', () => {
    for (const name of ['jwt-private-key.pem', 'dedupe-secret']) {
      expect(statSync(path.join(stack.dataDir, 'keys', name)).mode & 0o777).toBe(0o600);
    }
  });

  it('refuses bodies that are not JSON and paths that are not there, as problems', async () => {
    const broken = await anybody.request('POST', '/api/v1/auth/login', {
      headers: { 'content-type': 'application/json' },
      body: '{"username":',
    });
    expect(broken.body).toMatchObject({ status: 400, code: 'MALFORMED_REQUEST' });
    const form = await anybody.request('POST', '/api/v1/auth/login', {
      headers: { 'content-type': 'text/plain' },
      body: 'username=x',
    });
    expect(form.body).toMatchObject({ status: 415 });
    expect((await anybody.get('/api/v1/nothing')).body).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });
});

describe('what the server cannot take', () => {
  /** Sends bytes as they are and returns everything that comes back until the server closes. */
  const raw = (bytes: string) =>
    new Promise<string>((resolve, reject) => {
      const { hostname, port } = new URL(stack.baseUrl);
      const socket = connect(Number(port), hostname, () => socket.write(bytes));
      let answer = '';
      socket.setEncoding('utf8').on('data', (text) => {
        answer += text;
      });
      socket.on('close', () => resolve(answer)).on('error', reject);
    });

  it.each([
    ['no HTTP at all', 'HELLO\r\n\r\n', 400, 'MALFORMED_REQUEST'],
    [
      'headers without end',
      `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'HEADERS_TOO_LARGE',
    ],
    [
      'an address that is none',
      'GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      400,
      'MALFORMED_REQUEST',
    ],
    ['no host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'MALFORMED_REQUEST'],
  ])('is answered as a problem: %s', async (_what, bytes, status, code) => {
    const answer = await raw(bytes);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toMatch(/^content-type: application\/problem\+json/im);
    const problem = JSON.parse(body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1));
    expect(problem).toMatchObject({ status, code, requestId: expect.any(String) });
    expect(head.toLowerCase()).toContain(`x-request-id: ${problem.requestId}`);
  });

  it('is a body of more than 64 KB, but for the digests of an upload of somebody signed in', async () => {
    const large = { username: 'x', password: 'y'.repeat(70_000) };
    expect((await anybody.post('/api/v1/auth/login', large)).status).toBe(413);
    const path = '/api/v1/uploads/0199a0a0-0000-7000-8000-000000000000/complete';
    expect((await anybody.post(path, large)).status).toBe(401);
    const jane = await ApiClient.signUp(stack.baseUrl);
    expect((await jane.post(path, large)).status).toBe(404);
    expect((await jane.post('/api/v1/uploads', large)).status).toBe(413);
  });

  it('is a control character in a name', async () => {
    const answer = await anybody.post('/api/v1/auth/login', { username: 'a\0b', password: 'x' });
    expect(answer.body).toMatchObject({ status: 422, errors: [{ path: 'username' }] });
  });

  it.each(['server', 'worker'])('is a wrong variable: the %s ends with a sentence for each', async (name) => {
    const log = path.join(stack.dataDir, `wrong-${name}.log`);
    const env = { DATABASE_URL: stack.databaseUrl, LOG_LEVEL: 'loud', TRUST_PROXY: 'banana' };
    const service = new ServiceProcess(name, path.join(projectRoot, name, 'dist', 'main.js'), env, log);
    await expect(service.start()).rejects.toThrow('ended with 78');
    expect(service.log.trim().split('\n')).toEqual([
      expect.stringMatching(/^TRUST_PROXY must be .*"banana"/),
      expect.stringMatching(/^LOG_LEVEL must be one of .*"loud"/),
    ]);
  });
});

describe('attempts from one address', () => {
  it('are limited to five sign-ins and ten new accounts a minute', async () => {
    const limited = await startStack({
      worker: false,
      env: { RATE_LIMIT_DISABLED: '0', PUBLIC_URL: 'https://relay.example.org', CORS_ORIGINS: '*' },
    });
    try {
      const guest = ApiClient.anonymous(limited.baseUrl);
      const out = await guest.post('/api/v1/auth/logout');
      expect(out.headers.get('set-cookie')).toMatch(/HttpOnly; Secure; SameSite=Strict/);
      const attempt = () => guest.post('/api/v1/auth/login', { username: 'x', password: 'y' });
      for (let i = 0; i < 5; i += 1) expect((await attempt()).status).toBe(401);
      const sixth = await attempt();
      expect(sixth.body).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
      expect(Number(sixth.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(sixth.headers.get('ratelimit-limit')).toBe('5');
      expect(sixth.headers.get('ratelimit-remaining')).toBe('0');
      expect(Number(sixth.headers.get('ratelimit-reset'))).toBeGreaterThan(0);
      expect(sixth.headers.get('access-control-expose-headers')).toContain('RateLimit-Remaining');

      const join = (i: number) =>
        guest.post('/api/v1/auth/register', account(`join${i}`, { password: 'weak' }));
      for (let i = 0; i < 10; i += 1) expect((await join(i)).status).toBe(422);
      expect((await join(11)).body).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    } finally {
      await limited.stop();
    }
  });
});
