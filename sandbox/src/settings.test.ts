import { describe, expect, it } from 'vitest';
import { readSettings } from './settings.js';

const dir = { SANDBOX_DIR: '/tmp/x' };

describe('the environment', () => {
  it('asks for a folder and nothing else', () => {
    expect(readSettings(dir)).toEqual({
      dir: '/tmp/x',
      port: 8042,
      host: '127.0.0.1',
      personality: 'orthanc',
      aet: 'DCM4CHEE',
      unreadable: 'invent',
      auth: { kind: 'none' },
    });
  });

  it('reads tighter bounds', () => {
    expect(
      readSettings({ ...dir, SANDBOX_MOST_ROWS: '10', SANDBOX_MOST_REQUEST_BYTES: '1000000' }),
    ).toMatchObject({ mostRows: 10, mostRequestBytes: 1_000_000 });
  });

  it.each([
    [
      { SANDBOX_AUTH: 'basic', SANDBOX_USERNAME: 'u', SANDBOX_PASSWORD: 'p' },
      { kind: 'basic', username: 'u', password: 'p' },
    ],
    [
      { SANDBOX_AUTH: 'bearer', SANDBOX_TOKEN: 't' },
      { kind: 'bearer', token: 't' },
    ],
    [
      { SANDBOX_AUTH: 'oidc', SANDBOX_USERNAME: 'u', SANDBOX_PASSWORD: 'p', SANDBOX_TOKEN_SECONDS: '5' },
      { kind: 'oidc', clientId: 'u', clientSecret: 'p', tokenSeconds: 5 },
    ],
  ])('reads credentials from %j', (env, auth) => {
    expect(readSettings({ ...dir, ...env }).auth).toEqual(auth);
  });

  it.each([
    [
      { SANDBOX_PERSONALITY: 'pacsone' },
      'SANDBOX_PERSONALITY must be one of orthanc, dcm4chee, azure, google, aws',
    ],
    [{ SANDBOX_MOST_ROWS: '0' }, 'SANDBOX_MOST_ROWS must be a whole number above 0; it is "0"'],
    [{ SANDBOX_MOST_REQUEST_BYTES: '1 GB' }, 'SANDBOX_MOST_REQUEST_BYTES must be a whole number'],
    [{ SANDBOX_UNREADABLE: 'x' }, 'SANDBOX_UNREADABLE must be one of invent, error'],
    [{ SANDBOX_AUTH: 'ldap' }, 'SANDBOX_AUTH must be one of none, basic, bearer, oidc'],
    [{ SANDBOX_AUTH: 'basic', SANDBOX_USERNAME: 'u' }, 'SANDBOX_PASSWORD must be set for SANDBOX_AUTH=basic'],
    [{ SANDBOX_AUTH: 'bearer' }, 'SANDBOX_TOKEN must be set'],
    [
      { SANDBOX_AUTH: 'oidc', SANDBOX_USERNAME: 'u', SANDBOX_PASSWORD: 'p', SANDBOX_TOKEN_SECONDS: 'soon' },
      'SANDBOX_TOKEN_SECONDS must be a number',
    ],
  ])('refuses %j with a sentence', (env, sentence) => {
    expect(() => readSettings({ ...dir, ...env })).toThrow(sentence);
  });
});
