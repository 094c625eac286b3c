import { createHash } from 'node:crypto';
import { once, setMaxListeners } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { PacsAuth, PacsConfig } from '@relaypacs/core/config.js';
import { TestAuthority } from '@relaypacs/core/testing/certificates.js';
import { afterEach, expect, it } from 'vitest';
import { DicomwebClient } from './dicomweb-client.js';
import type { StowPart } from './multipart.js';
import { PacsAccesses } from './pacs-access.js';
import type { PacsUnavailable } from './pacs-unavailable.js';

const SECRET = 'hunter2:ä /+&';
const never = new AbortController().signal;
setMaxListeners(0, never);
const servers: Server[] = [];
const clients: DicomwebClient[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listening(server: Server): Promise<string> {
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface TokenRequest {
  headers: IncomingMessage['headers'];
  form: Record<string, string>;
}

/** A token endpoint that gives `token-1`, `token-2` and so on to who knows the secret. */
class FakeOidc {
  readonly requests: TokenRequest[] = [];
  /** Tokens that a PACS takes; the last one given is added. */
  readonly valid = new Set<string>();
  expiresIn = 300;
  secretIn: 'basic' | 'body' = 'basic';
  /** Answers in place of a token. */
  refusal: { status: number; body: string; headers?: Record<string, string> } | undefined;

  readonly answer: RequestListener = async (request, response) => {
    const { headers } = request;
    const form = Object.fromEntries(new URLSearchParams(await text(request)));
    this.requests.push({ headers, form });
    if (this.refusal) {
      response.writeHead(this.refusal.status, this.refusal.headers).end(this.refusal.body);
    } else if (!this.knows(headers.authorization, form)) {
      response.writeHead(401).end('{"error":"invalid_client"}');
    } else {
      const token = `token-${this.requests.length}`;
      this.valid.add(token);
      response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: this.expiresIn }));
    }
  };

  private knows(authorization: string | undefined, form: Record<string, string>): boolean {
    if (this.secretIn === 'body') return form.client_id === 'relay:1' && form.client_secret === SECRET;
    const [id, secret] = Buffer.from(authorization?.slice(6) ?? '', 'base64')
      .toString()
      .split(':')
      .map((part) => decodeURIComponent(part.replaceAll('+', ' ')));
    return id === 'relay:1' && secret === SECRET;
  }
}

interface Setting {
  oidc: FakeOidc;
  url: string;
  /** Requests the PACS got, with the token of each. */
  seen: Array<{ method: string; token: string | undefined; headers: IncomingMessage['headers'] }>;
  client: (more?: Partial<PacsConfig>) => DicomwebClient;
  auth: Extract<PacsAuth, { mode: 'oidc' }>;
}

/** A PACS that takes whom the token endpoint lets in. */
async function setting(): Promise<Setting> {
  const oidc = new FakeOidc();
  const tokenUrl = `http://${await listening(createServer(oidc.answer))}/token`;
  const seen: Setting['seen'] = [];
  const pacs = createServer(async (request, response) => {
    const token = request.headers.authorization?.replace(/^Bearer /, '');
    seen.push({ method: request.method ?? '', token, headers: request.headers });
    if (token === undefined || !oidc.valid.has(token)) return response.writeHead(401).end('who are you?');
    if (request.method === 'POST') await text(request);
    return response.end(request.method === 'POST' ? '{}' : '[]');
  });
  const url = `http://${await listening(pacs)}/dicom-web`;
  const auth = {
    mode: 'oidc' as const,
    tokenUrl,
    clientId: 'relay:1',
    clientSecret: SECRET,
    scope: undefined,
    audience: undefined,
  };
  const accesses = new PacsAccesses();
  const settings: PacsConfig = {
    url,
    auth,
    headers: {},
    tls: { ca: undefined, client: undefined },
    connectTimeoutMs: 5000,
    timeoutMs: 5000,
    answerTimeoutMs: 5000,
  };
  const client = (more: Partial<PacsConfig> = {}) => {
    const used = Object.keys(more).length > 0 ? { ...settings, ...more } : settings;
    const opened = new DicomwebClient(used, accesses.of(used));
    clients.push(opened);
    return opened;
  };
  return { oidc, url, seen, client, auth };
}

const ask = (client: DicomwebClient) => client.queryInstances('1.2', [], never);

function part(size: number): StowPart {
  const bytes = Buffer.alloc(size, 'x');
  return {
    sopInstanceUid: '1.2.3',
    size,
    sha256: createHash('sha256').update(bytes).digest(),
    async *open() {
      for (let at = 0; at < size; at += 65_536) yield bytes.subarray(at, at + 65_536);
    },
  };
}

const failure = (promise: Promise<unknown>): Promise<PacsUnavailable> =>
  promise.then(
    () => {
      throw new Error('It did not fail');
    },
    (error: PacsUnavailable) => error,
  );

/** Everything of an error that a log could show. */
function shown(error: PacsUnavailable): string {
  const { message, stack, cause } = error;
  const inner = cause instanceof Error ? [cause.message, cause.stack, Object.entries(cause)] : [cause];
  return JSON.stringify([Object.entries(error), message, stack, ...inner]);
}

it('asks for one token for twenty requests side by side, of several clients', async () => {
  const { oidc, seen, client } = await setting();
  const [one, two] = [client(), client()];
  await Promise.all(Array.from({ length: 20 }, (_, index) => ask(index % 2 === 0 ? one : two)));
  expect(oidc.requests).toHaveLength(1);
  expect(seen.map(({ token }) => token)).toEqual(Array.from({ length: 20 }, () => 'token-1'));
});

it('asks for the scope and audience it was told, with the secret in the header', async () => {
  const { oidc, client, auth } = await setting();
  await ask(client({ auth: { ...auth, scope: 'dicom read', audience: 'https://pacs' } }));
  expect(oidc.requests.map(({ form }) => form)).toEqual([
    { grant_type: 'client_credentials', scope: 'dicom read', audience: 'https://pacs' },
  ]);
});

it('gives the secret in the body to an endpoint that wants it there, and remembers that', async () => {
  const { oidc, client } = await setting();
  oidc.secretIn = 'body';
  oidc.expiresIn = 0;
  const opened = client();
  await ask(opened);
  expect(oidc.requests).toHaveLength(2);
  expect(oidc.requests[1]?.headers.authorization).toBeUndefined();
  await ask(opened);
  expect(oidc.requests).toHaveLength(3);
});

it('renews a token that has run out', async () => {
  const { oidc, seen, client } = await setting();
  oidc.expiresIn = 0;
  const opened = client();
  await ask(opened);
  await ask(opened);
  expect(seen.map(({ token }) => token)).toEqual(['token-1', 'token-2']);
});

it('repeats queries once with one new token when the PACS no longer takes the old one', async () => {
  const { oidc, seen, client } = await setting();
  const opened = client();
  await ask(opened);
  oidc.valid.clear();
  await Promise.all(Array.from({ length: 20 }, () => ask(opened)));
  expect(oidc.requests).toHaveLength(2);
  expect(seen.filter(({ token }) => token === 'token-2')).toHaveLength(20);
});

it('says who is to be asked when the PACS takes no token of the endpoint', async () => {
  const { oidc, seen, client } = await setting();
  oidc.valid.add = () => oidc.valid;
  const error = await failure(ask(client()));
  expect(error).toMatchObject({ kind: 'denied', status: 401, staleToken: false });
  expect(seen).toHaveLength(2);
  expect(shown(error)).not.toMatch(/token-\d/);
});

it.each([
  ['before its body was read', 8_000_000],
  ['after its body was sent', 10],
])(
  'does not repeat a STOW request refused %s by itself, but lets the next one bear a new token',
  async (_case, size) => {
    const { oidc, seen, client } = await setting();
    const opened = client();
    await ask(opened);
    oidc.valid.clear();
    const error = await failure(opened.stow([part(size)], never));
    expect(error).toMatchObject({ kind: 'denied', status: 401, staleToken: true, worthRepeating: true });
    expect(error.brokeDown).toBe(false);
    expect((await opened.stow([part(size)], never)).status).toBe(200);
    expect(seen.map(({ method, token }) => [method, token])).toEqual([
      ['GET', 'token-1'],
      ['POST', 'token-1'],
      ['POST', 'token-2'],
    ]);
  },
);

it('takes a 401 to credentials that stay as they are for the answer it is', async () => {
  const { client } = await setting();
  const opened = client({ auth: { mode: 'bearer', token: 'abc' } });
  expect(await opened.stow([part(10)], never)).toMatchObject({ status: 401 });
  expect(await failure(ask(opened))).toMatchObject({ kind: 'denied', staleToken: false });
});

it('shows the token that stands in the file now, and the last one where there is none', async () => {
  const { oidc, seen, client } = await setting();
  const directory = await mkdtemp(join(tmpdir(), 'relaypacs-token-'));
  const tokenFile = join(directory, 'token');
  const opened = client({ auth: { mode: 'bearer', token: 'a', tokenFile } });
  for (const token of ['a', 'b', 'c']) oidc.valid.add(token);
  await ask(opened);
  for (const contents of ['b\n', '', 'half a\ntoken', 'c']) {
    await writeFile(tokenFile, contents);
    await ask(opened);
  }
  await rm(directory, { recursive: true });
  await opened.stow([part(10)], never);
  expect(seen.map(({ token }) => token)).toEqual(['a', 'b', 'b', 'b', 'c', 'c']);
});

it('tries again at once where the file was renewed while the PACS refused the token of before', async () => {
  const { seen, client } = await setting();
  const directory = await mkdtemp(join(tmpdir(), 'relaypacs-token-'));
  const tokenFile = join(directory, 'token');
  await writeFile(tokenFile, 'old');
  let taken = 'new';
  const pacs = createServer(async (request, response) => {
    seen.push({
      method: request.method ?? '',
      token: request.headers.authorization,
      headers: request.headers,
    });
    if (request.headers.authorization === `Bearer ${taken}`) return response.end('[]');
    await writeFile(tokenFile, 'new');
    return response.writeHead(401).end('too old');
  });
  const url = `http://${await listening(pacs)}`;
  const opened = client({ url, auth: { mode: 'bearer', token: 'old', tokenFile } });
  await ask(opened);
  expect(seen.map(({ token }) => token)).toEqual(['Bearer old', 'Bearer new']);
  taken = 'a third one';
  expect(await failure(ask(opened))).toMatchObject({ kind: 'denied', staleToken: false });
  await rm(directory, { recursive: true });
});

it('waits for a token endpoint that is away, without blame on the PACS or the instance', async () => {
  const { seen, client, auth } = await setting();
  const gone = createServer();
  const tokenUrl = `http://${await listening(gone)}/token`;
  gone.close();
  await once(gone, 'close');
  const error = await failure(ask(client({ auth: { ...auth, tokenUrl } })));
  expect(error).toMatchObject({ kind: 'unreachable', notAsked: true, brokeDown: false });
  expect(error.message).toMatch(/connection to the token endpoint failed: ECONNREFUSED/);
  expect(shown(error)).not.toContain('hunter2');
  expect(seen).toEqual([]);
});

it('waits as long as a busy token endpoint asks for', async () => {
  const { oidc, client } = await setting();
  oidc.refusal = { status: 503, body: 'later', headers: { 'Retry-After': '9' } };
  expect(await failure(ask(client()))).toMatchObject({ kind: 'busy', retryAfterSeconds: 9 });
});

it('tells the operator that the client is not known, and never the secret', async () => {
  const { oidc, client, auth } = await setting();
  const opened = client({ auth: { ...auth, clientSecret: 'hunter3' } });
  const error = await failure(ask(opened));
  expect(error.kind).toBe('denied');
  expect(error.message).toMatch(/\(invalid_client\).*PACS_OIDC_CLIENT_ID and PACS_OIDC_CLIENT_SECRET/);
  expect(shown(error)).not.toMatch(/hunter3|aHVudGVyM/);
  expect(oidc.requests).toHaveLength(2);
});

it('trusts the token endpoint by the same certificates as the PACS', async () => {
  const authority = new TestAuthority('Hospital CA');
  const { oidc, client, auth } = await setting();
  const address = await listening(createSecureServer(authority.issue('IP:127.0.0.1'), oidc.answer));
  const secured = { ...auth, tokenUrl: `https://${address}/token` };
  await ask(client({ auth: secured, tls: { ca: authority.certificate.cert, client: undefined } }));
  expect(oidc.requests).toHaveLength(1);
  const error = await failure(ask(client({ auth: secured })));
  expect(error).toMatchObject({ kind: 'misconfigured', notAsked: true });
  expect(error.message).toMatch(/certificate of the token endpoint .* PACS_CA_FILE/);
});

it('sends further headers with every request to the PACS and never to the token endpoint', async () => {
  const { oidc, seen, client } = await setting();
  const opened = client({ headers: { 'X-Api-Key': 'hunter4' } });
  await ask(opened);
  await opened.stow([part(10)], never);
  expect(await opened.retrieveInstance('1.2', '1.3', '1.4', async () => 'read', never)).toBe('read');
  expect(seen.map(({ headers }) => headers['x-api-key'])).toEqual(['hunter4', 'hunter4', 'hunter4']);
  expect(oidc.requests.map(({ headers }) => headers['x-api-key'])).toEqual([undefined]);
});
