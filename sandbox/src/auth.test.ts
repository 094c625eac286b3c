import { afterEach, describe, expect, it } from 'vitest';
import { makeDicomFile } from './testing/dicom-file.js';
import { RelentlessClient, TestSandbox, type TestSandboxOptions } from './testing/sandbox-client.js';

let sandbox: TestSandbox;
afterEach(() => sandbox.stop());
const start = async (options: TestSandboxOptions) => {
  sandbox = await TestSandbox.start(options);
};
const statusWith = async (authorization?: string) => {
  const headers: Record<string, string> = authorization === undefined ? {} : { Authorization: authorization };
  const response = await sandbox.get('/studies', headers);
  return [response.status, response.headers.get('www-authenticate')];
};
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('without credentials', () => {
  it.each(['orthanc', 'azure'] as const)(
    '%s takes no notice of an Authorization header',
    async (personality) => {
      await start({ personality });
      expect((await statusWith('Bearer x'))[0]).toBeLessThan(300);
    },
  );

  it('dcm4chee answers 403 to one, whatever is asked', async () => {
    await start({ personality: 'dcm4chee' });
    expect(await statusWith('Bearer x')).toEqual([403, null]);
    expect((await sandbox.post([makeDicomFile().bytes], { Authorization: basic('a:b') })).status).toBe(403);
    expect(await statusWith()).toEqual([204, null]);
  });
});

it('asks for user and password', async () => {
  await start({ auth: { kind: 'basic', username: 'pacs', password: 'päss:word' } });
  expect(await statusWith()).toEqual([401, 'Basic realm="sandbox"']);
  expect(await statusWith(basic('pacs:wrong'))).toEqual([401, 'Basic realm="sandbox"']);
  expect(await statusWith(basic('pacs:päss:word'))).toEqual([200, null]);
});

it('asks for a token', async () => {
  await start({ auth: { kind: 'bearer', token: 'secret' } });
  expect(await statusWith()).toEqual([401, 'Bearer realm="dcm4che"']);
  expect((await statusWith('Bearer other'))[1]).toContain('error="invalid_token"');
  expect(await statusWith('Bearer secret')).toEqual([200, null]);
});

it('turns away before the body is read, and reads none of it', async () => {
  await start({ auth: { kind: 'bearer', token: 'secret' } });
  const client = new RelentlessClient(sandbox);
  await expect.poll(() => client.text).toContain('HTTP/1.1 401');
  await expect.poll(() => client.isStalled(), { timeout: 10_000 }).toBe(true);
  client.stop();
});

it('leaves the page, the faults and the statistics open', async () => {
  await start({ auth: { kind: 'bearer', token: 'secret' } });
  for (const path of ['/', '/faults', '/statistics']) {
    expect((await fetch(sandbox.origin + path)).status).toBe(200);
  }
});

describe('OpenID Connect', () => {
  const client = { clientId: 'relay', clientSecret: 's+ä=' };
  const oidc = (tokenSeconds = 300): TestSandboxOptions => ({
    personality: 'dcm4chee',
    auth: { kind: 'oidc', ...client, tokenSeconds },
  });
  const askFor = (form: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(`${sandbox.origin}/realms/dcm4che/protocol/openid-connect/token`, {
      method: 'POST',
      headers,
      body: new URLSearchParams(form),
    });
  const grant = { grant_type: 'client_credentials' };
  const form = { ...grant, client_id: client.clientId, client_secret: client.clientSecret };
  const tokenOf = async (response: Response) =>
    ((await response.json()) as { access_token: string }).access_token;

  it('gives a token to the client, by form and by Basic, which lets it in', async () => {
    await start(oidc());
    const byForm = await askFor(form);
    expect(byForm.headers.get('cache-control')).toBe('no-store');
    const credentials = `${client.clientId}:${encodeURIComponent(client.clientSecret)}`;
    const byBasic = await askFor(grant, { Authorization: basic(credentials) });
    for (const response of [byForm, byBasic]) {
      expect(response.status).toBe(200);
      expect(await statusWith(`Bearer ${await tokenOf(response)}`)).toEqual([204, null]);
    }
  });

  it('says how long a token is good, and turns it away after that', async () => {
    await start(oidc(0.5));
    const answer = (await (await askFor(form)).json()) as Record<string, unknown>;
    expect(answer).toMatchObject({ expires_in: 0.5, token_type: 'Bearer' });
    const bearer = `Bearer ${answer.access_token}`;
    await expect.poll(() => statusWith(bearer)).toEqual([401, expect.stringContaining('invalid_token')]);
  });

  it("refuses other clients and other grants in Keycloak's words", async () => {
    await start(oidc());
    const wrong = await askFor({ ...form, client_secret: 'wrong' });
    expect([wrong.status, await wrong.json()]).toMatchObject([401, { error: 'invalid_client' }]);
    const password = await askFor({ ...form, grant_type: 'password' });
    expect([password.status, await password.json()]).toMatchObject([
      400,
      { error: 'unsupported_grant_type' },
    ]);
  });

  it('has no token endpoint without it', async () => {
    await start({ personality: 'dcm4chee' });
    expect((await askFor(form)).status).toBe(404);
  });

  it('can have a faulty token endpoint, which faults on any do not befall', async () => {
    await start(oidc());
    await sandbox.putFaults(
      { kind: 'refuse', on: 'any' },
      { kind: 'status', on: 'token', status: 503, times: 1 },
    );
    expect((await askFor(form)).status).toBe(503);
    expect((await askFor(form)).status).toBe(200);
    expect((await sandbox.statistics()).requests.token).toBe(2);
  });
});
