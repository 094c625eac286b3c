import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { ConfigError, loadConfig } from './config.js';
import { TestAuthority } from './testing/certificates.js';

const directory = mkdtempSync(path.join(tmpdir(), 'relay-pacs-'));
const authority = new TestAuthority('Test CA');
const client = authority.issue('DNS:relay');
const other = authority.issue('DNS:other');
const encrypted = authority.issue('DNS:relay', { passphrase: 'hunter2' });

const minimal = {
  DATABASE_URL: 'postgres://u:p@127.0.0.1:5432/d',
  PACS_URL: 'https://pacs.example.org/dicom-web',
};
const pacs = (env: Record<string, string>) => loadConfig({ ...minimal, ...env }).pacs.all[0];
const complaint = (env: Record<string, string>) => {
  try {
    pacs(env);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
};

function fileWith(contents: string): string {
  const file = path.join(mkdtempSync(path.join(directory, 'f-')), 'file');
  writeFileSync(file, contents);
  return file;
}

it('stands on its defaults when only the address is given', () => {
  expect(pacs({})).toEqual({
    key: 'default',
    name: 'PACS',
    prefix: 'PACS_',
    concurrency: 8,
    verification: { level: 'uids', share: 1 },
    url: 'https://pacs.example.org/dicom-web',
    auth: { mode: 'none' },
    headers: {},
    tls: { ca: undefined, client: undefined },
    connectTimeoutMs: 10_000,
    timeoutMs: 60_000,
    answerTimeoutMs: 300_000,
  });
});

const OIDC = {
  PACS_AUTH: 'oidc',
  PACS_OIDC_TOKEN_URL: 'https://sso.example.org/token',
  PACS_OIDC_CLIENT_ID: 'relay',
  PACS_OIDC_CLIENT_SECRET_FILE: fileWith('from-a-file\n'),
};

it('reads a token, and from where it is renewed', () => {
  const file = fileWith('first\n');
  const token = { PACS_AUTH: 'bearer', PACS_TOKEN_FILE: file };
  expect(pacs(token)?.auth).toEqual({ mode: 'bearer', token: 'first', tokenFile: file });
  expect(pacs({ ...token, PACS_TOKEN: 'second' })?.auth).toEqual({ mode: 'bearer', token: 'second' });
});

it('reads client credentials, the secret from a file', () => {
  expect(pacs({ ...OIDC, PACS_OIDC_SCOPE: 'dicom', PACS_OIDC_AUDIENCE: 'pacs' })?.auth).toEqual({
    mode: 'oidc',
    tokenUrl: 'https://sso.example.org/token',
    clientId: 'relay',
    clientSecret: 'from-a-file',
    scope: 'dicom',
    audience: 'pacs',
  });
});

it.each([
  [{ PACS_OIDC_TOKEN_URL: '' }, /^PACS_OIDC_TOKEN_URL is needed because PACS_AUTH is oidc\.$/],
  [{ PACS_OIDC_TOKEN_URL: 'sso.example.org' }, /^PACS_OIDC_TOKEN_URL must be a URL/],
  [{ PACS_OIDC_TOKEN_URL: 'https://a:hunter2@b/t' }, /^PACS_OIDC_TOKEN_URL must not hold/],
  [{ PACS_OIDC_CLIENT_ID: '' }, /^PACS_OIDC_CLIENT_ID is needed/],
  [{ PACS_OIDC_CLIENT_SECRET_FILE: fileWith('\n') }, /^PACS_OIDC_CLIENT_SECRET is needed/],
  [{ PACS_OIDC_CLIENT_SECRET_FILE: '/nowhere' }, /^PACS_OIDC_CLIENT_SECRET_FILE names the file \/nowhere/],
  [{ PACS_AUTH: 'saml' }, /^PACS_AUTH must be one of none, basic, bearer, oidc/],
  [{ PACS_AUTH: 'bearer', PACS_TOKEN: 'hunter2\r\nX-Evil: 1' }, /^PACS_TOKEN must be the token alone/],
  [{ PACS_CONNECT_TIMEOUT_SECONDS: '0' }, /^PACS_CONNECT_TIMEOUT_SECONDS must be a number from 1/],
  [{ PACS_ANSWER_TIMEOUT_SECONDS: 'long' }, /^PACS_ANSWER_TIMEOUT_SECONDS must be a number/],
])('refuses %j with one sentence that names the variable', (env, expected) => {
  const refused = complaint({ ...OIDC, ...env });
  expect(refused).toMatch(expected);
  expect(refused?.split('\n')).toHaveLength(1);
  expect(refused).not.toContain('hunter2');
});

it.each([
  ['{"X-Api-Key": "abc: d", "X-Site": "7"}', { 'X-Api-Key': 'abc: d', 'X-Site': '7' }],
  ['X-Api-Key:  abc: d \r\n\nX-Site: 7\n', { 'X-Api-Key': 'abc: d', 'X-Site': '7' }],
  ['{}', {}],
])('reads further headers from %j', (text, headers) => {
  expect(pacs({ PACS_HEADERS: text })?.headers).toEqual(headers);
  expect(pacs({ PACS_HEADERS_FILE: fileWith(text) })?.headers).toEqual(headers);
});

it.each([
  ['Authorization: Basic hunter2', /^PACS_HEADERS must not set Authorization; PACS_AUTH does\.$/],
  ['{"content-type": "hunter2"}', /^PACS_HEADERS must not set Content-Type; RelayPACS does\.$/],
  ['Content-Length: 7', /must not set Content-Length/],
  ['HOST: hunter2', /must not set Host/],
  ['accept: hunter2', /must not set Accept;/],
  ['Transfer-Encoding: chunked', /must not set Transfer-Encoding/],
  ['{"X-Key": "a\\r\\nX-Evil: hunter2"}', /the value of header 1 must be one line/],
  ['X-Key: a\rX-Evil: hunter2', /the value of header 1 must be one line/],
  ['{"X-Key": ["hunter2"]}', /the value of header 1 must be one line/],
  ['{"X Key": "hunter2"}', /header 1 has a name that no header can have/],
  ['X-A: 1\nX-a: hunter2', /header 2 is there twice/],
  ['hunter2', /^PACS_HEADERS must be a JSON object such as/],
  ['{"X-Key": "hunter2"', /^PACS_HEADERS must be a JSON object such as/],
  ['["hunter2"]', /^PACS_HEADERS must be a JSON object such as/],
])('refuses the further headers %j without repeating them', (text, expected) => {
  expect(complaint({ PACS_HEADERS: text })).toMatch(expected);
  expect(complaint({ PACS_HEADERS: text })).not.toContain('hunter2');
});

it('reads an authority and a client certificate, and leaves out what else stands in the files', () => {
  const bundle = fileWith(`Our CA\n${authority.certificate.cert}\n${authority.certificate.key}`);
  const tls = pacs({
    PACS_CA_FILE: bundle,
    PACS_CLIENT_CERT_FILE: encrypted.certFile,
    PACS_CLIENT_KEY_FILE: encrypted.keyFile,
    PACS_CLIENT_KEY_PASSPHRASE: 'hunter2',
  })?.tls;
  expect(tls?.ca).toBe(authority.certificate.cert);
  expect(tls?.client).toEqual({ cert: encrypted.cert, key: encrypted.key, passphrase: 'hunter2' });
});

const ofClient = { PACS_CLIENT_CERT_FILE: client.certFile, PACS_CLIENT_KEY_FILE: client.keyFile };
const broken = fileWith('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');

it.each([
  [{ PACS_CA_FILE: '/nowhere' }, /^PACS_CA_FILE names the file \/nowhere, which cannot be read/],
  [{ PACS_CA_FILE: directory }, /^PACS_CA_FILE names the file .* cannot be read/],
  [{ PACS_CA_FILE: client.keyFile }, /^PACS_CA_FILE must name a file with certificates in PEM/],
  [{ PACS_CA_FILE: broken }, /^PACS_CA_FILE must name a file with certificates in PEM/],
  [{ PACS_CLIENT_CERT_FILE: client.certFile }, /^PACS_CLIENT_CERT_FILE and PACS_CLIENT_KEY_FILE must both/],
  [{ PACS_CLIENT_KEY_FILE: client.keyFile }, /^PACS_CLIENT_CERT_FILE and PACS_CLIENT_KEY_FILE must both/],
  [{ ...ofClient, PACS_CLIENT_CERT_FILE: '/nowhere' }, /^PACS_CLIENT_CERT_FILE names the file \/nowhere/],
  [{ ...ofClient, PACS_CLIENT_KEY_FILE: '/nowhere' }, /^PACS_CLIENT_KEY_FILE names the file \/nowhere/],
  [{ ...ofClient, PACS_CLIENT_KEY_FILE: client.certFile }, /^PACS_CLIENT_KEY_FILE must hold a private key/],
  [{ ...ofClient, PACS_CLIENT_KEY_FILE: other.keyFile }, /^PACS_CLIENT_KEY_FILE is not the key/],
  [
    { PACS_CLIENT_CERT_FILE: encrypted.certFile, PACS_CLIENT_KEY_FILE: encrypted.keyFile },
    /^PACS_CLIENT_KEY_FILE is encrypted: PACS_CLIENT_KEY_PASSPHRASE is needed\.$/,
  ],
  [
    {
      PACS_CLIENT_CERT_FILE: encrypted.certFile,
      PACS_CLIENT_KEY_FILE: encrypted.keyFile,
      PACS_CLIENT_KEY_PASSPHRASE: 'hunter3',
    },
    /^PACS_CLIENT_KEY_FILE is encrypted: PACS_CLIENT_KEY_PASSPHRASE does not open it\.$/,
  ],
  [{ ...ofClient, PACS_URL: 'http://pacs/dicom-web' }, /^PACS_CLIENT_CERT_FILE is of no use/],
])('stops the start over %j with one sentence that names the variable', (env, expected) => {
  const refused = complaint(env);
  expect(refused).toMatch(expected);
  expect(refused?.split('\n')).toHaveLength(1);
  expect(refused).not.toContain('hunter3');
});
