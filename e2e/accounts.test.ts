import { statSync } from 'node:fs';
import path from 'node:path';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
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

describe('sign-in attempts', () => {
  it('are limited to five a minute from one address', async () => {
    const limited = await startStack({ worker: false, env: { RATE_LIMIT_DISABLED: '0' } });
    try {
      const guest = ApiClient.anonymous(limited.baseUrl);
      const attempt = () => guest.post('/api/v1/auth/login', { username: 'x', password: 'y' });
      for (let i = 0; i < 5; i += 1) expect((await attempt()).status).toBe(401);
      const sixth = await attempt();
      expect(sixth.body).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
      expect(Number(sixth.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(sixth.headers.get('ratelimit')).toMatch(/limit=5/);
    } finally {
      await limited.stop();
    }
  });
});
