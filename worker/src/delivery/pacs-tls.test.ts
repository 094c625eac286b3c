import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createPlainServer, type Server as PlainServer } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { TLSSocket } from 'node:tls';
import type { PacsConfig } from '@relaypacs/core/config.js';
import { TestAuthority, type TestCertificate } from '@relaypacs/core/testing/certificates.js';
import { afterEach, expect, it } from 'vitest';
import { DicomwebClient } from './dicomweb-client.js';
import { PacsAccesses } from './pacs-access.js';
import type { PacsUnavailable } from './pacs-unavailable.js';

const authority = new TestAuthority('Hospital CA');
const stranger = new TestAuthority('Another CA');
const server = authority.issue('IP:127.0.0.1');
const client = authority.issue('DNS:relay', { passphrase: 'hunter2' });

const never = new AbortController().signal;
const servers: Array<Server | PlainServer | TcpServer> = [];
const clients: DicomwebClient[] = [];
const children: ChildProcess[] = [];

afterEach(() => {
  for (const opened of clients.splice(0)) opened.close();
  for (const opened of servers.splice(0)) opened.close();
  for (const child of children.splice(0)) child.kill();
});

/** A PACS that holds nothing, and the names it was shown by its clients. */
async function pacs(
  { cert, key }: TestCertificate = server,
  more: object = {},
): Promise<{ url: string; shown: Array<string | undefined> }> {
  const shown: Array<string | undefined> = [];
  const opened = createServer({ cert, key, ...more }, (request, response) => {
    shown.push((request.socket as TLSSocket).getPeerCertificate().subjectaltname);
    response.end('[]');
  });
  return { url: await listening(opened, 'https'), shown };
}

async function listening(opened: Server | PlainServer | TcpServer, protocol: string): Promise<string> {
  servers.push(opened);
  opened.listen(0, '127.0.0.1');
  await once(opened, 'listening');
  return `${protocol}://127.0.0.1:${(opened.address() as AddressInfo).port}/dicom-web`;
}

function clientOf(url: string, tls: Partial<PacsConfig['tls']>, more: Partial<PacsConfig> = {}) {
  const settings: PacsConfig = {
    url,
    auth: { mode: 'none' },
    headers: {},
    tls: { ca: undefined, client: undefined, ...tls },
    connectTimeoutMs: 5000,
    timeoutMs: 5000,
    answerTimeoutMs: 5000,
    ...more,
  };
  const opened = new DicomwebClient(settings, new PacsAccesses().of(settings));
  clients.push(opened);
  return opened;
}

const ask = (url: string, tls: Partial<PacsConfig['tls']>, more: Partial<PacsConfig> = {}) =>
  clientOf(url, tls, more).queryInstances('1.2', [], never);

const failure = (promise: Promise<unknown>): Promise<PacsUnavailable> =>
  promise.then(
    () => {
      throw new Error('It did not fail');
    },
    (error: PacsUnavailable) => error,
  );

const ca = authority.certificate.cert;
const shownClient = { cert: client.cert, key: client.key, passphrase: 'hunter2' };

it('trusts a PACS that an authority of its own vouches for', async () => {
  const { url } = await pacs();
  expect((await ask(url, { ca })).size).toBe(0);
});

it.each([
  ['nobody was named', undefined],
  ['another authority was named', stranger.certificate.cert],
])('does not talk to a PACS of an unknown authority when %s', async (_case, named) => {
  const { url, shown } = await pacs();
  const error = await failure(ask(url, { ca: named }));
  expect(error).toMatchObject({ name: 'PacsUnavailable', kind: 'misconfigured' });
  expect(error.message).toMatch(/the PACS is signed by nobody RelayPACS trusts .* PACS_CA_FILE/);
  expect(shown).toEqual([]);
});

it('verifies even where the environment of Node says not to', async () => {
  const { url, shown } = await pacs();
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  try {
    expect(await failure(ask(url, {}))).toMatchObject({ kind: 'misconfigured' });
    expect(shown).toEqual([]);
  } finally {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  }
});

it('does not talk to a PACS by another name than its certificate has', async () => {
  const { url, shown } = await pacs(authority.issue('DNS:pacs.example.org'));
  const error = await failure(ask(url, { ca }));
  expect(error.kind).toBe('misconfigured');
  expect(error.message).toMatch(/another host name.*PACS_URL/);
  expect(shown).toEqual([]);
});

it('does not talk to a PACS whose certificate is out of date', async () => {
  const { url } = await pacs(authority.issue('IP:127.0.0.1', { days: -1 }));
  const error = await failure(ask(url, { ca }));
  expect(error.kind).toBe('misconfigured');
  expect(error.message).toMatch(/out of date/);
});

it.each(['TLSv1.2', 'TLSv1.3'])(
  'shows a client certificate where it is asked for one, by %s',
  async (version) => {
    const demanding = { requestCert: true, ca, minVersion: version, maxVersion: version };
    const { url, shown } = await pacs(server, demanding);
    await ask(url, { ca, client: shownClient });
    expect(shown).toEqual(['DNS:relay']);

    const without = await failure(ask(url, { ca }));
    expect(without.kind).toBe('misconfigured');
    expect(without.message).toMatch(/PACS_CLIENT_CERT_FILE and PACS_CLIENT_KEY_FILE/);
  },
);

/** OpenSSL's own server: unlike Node's it says by an alert why it turns a certificate down, as PACS do. */
async function demandingOpenssl(version: string): Promise<string> {
  const child = spawn('openssl', [
    ...['s_server', '-accept', '127.0.0.1:0', `-${version}`, '-www', '-cert', server.certFile],
    ...[
      '-key',
      server.keyFile,
      '-CAfile',
      authority.certificate.certFile,
      '-Verify',
      '2',
      '-verify_return_error',
    ],
  ]);
  children.push(child);
  for await (const line of createInterface(child.stdout)) {
    const port = /^ACCEPT .*:(\d+)$/.exec(line)?.[1];
    if (port !== undefined) return `https://127.0.0.1:${port}/dicom-web`;
  }
  throw new Error('openssl s_server did not start');
}

it.each(['tls1_2', 'tls1_3'])('says that its client certificate is not accepted, by %s', async (version) => {
  const unknown = stranger.issue('DNS:relay');
  const own = { cert: unknown.cert, key: unknown.key, passphrase: undefined };
  const refused = await failure(ask(await demandingOpenssl(version), { ca, client: own }));
  expect(refused.kind).toBe('misconfigured');
  expect(refused.message).toMatch(/PACS_CLIENT_CERT_FILE .* accepted there/);
});

it('names the address when what answers there does not speak TLS', async () => {
  const url = await listening(
    createPlainServer((_request, response) => response.end('[]')),
    'https',
  );
  const error = await failure(ask(url, { ca }));
  expect(error.kind).toBe('misconfigured');
  expect(error.message).toMatch(/does not speak TLS.*PACS_URL/);
});

it('asks for a newer TLS where only an old one is offered', async () => {
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
  const { url } = await pacs(server, old);
  const error = await failure(ask(url, { ca }));
  expect(error.kind).toBe('misconfigured');
  expect(error.message).toMatch(/TLS 1\.2 or later/);
});

it('gives up on a handshake that does not come to an end', async () => {
  const url = await listening(
    createTcpServer(() => {}),
    'https',
  );
  const error = await failure(ask(url, { ca }, { connectTimeoutMs: 150 }));
  expect(error).toMatchObject({ kind: 'unreachable', retryAfterSeconds: undefined });
  expect(error.message).toMatch(/not made within 0\.15 s \(PACS_CONNECT_TIMEOUT_SECONDS\)/);
});

it('never tells the key or its passphrase', async () => {
  const { url } = await pacs(server, { requestCert: true, ca: stranger.certificate.cert });
  const error = await failure(ask(url, { ca, client: shownClient }));
  const told = JSON.stringify([error, error.message, error.stack, String(error.cause)]);
  expect(told).not.toContain('hunter2');
  expect(told).not.toContain('PRIVATE KEY');
});
