import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig, loadDatabaseUrl } from './config.js';

const minimal = { DATABASE_URL: 'postgres://u:p@127.0.0.1:5432/d' };
const complaint = (env: Record<string, string>) => {
  try {
    loadConfig({ ...minimal, ...env });
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
};

describe('the configuration', () => {
  it('stands on its defaults when only the database is given', () => {
    const config = loadConfig(minimal);
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      dataDir: path.resolve('data'),
      redisUrl: undefined,
      pacs: { all: [], rules: [], choices: [] },
      registration: 'open',
      delivery: { eager: 'off' },
      trustProxy: false,
      metrics: { port: undefined, workerPort: undefined, token: undefined },
      uploads: { maxBytes: 2 * 1024 ** 3, ttlHours: 24, duplicateWindowDays: 30 },
      rateLimits: { disabled: false, loginPerMinute: 5, uploadInitPerMinute: 20 },
    });
  });

  it.each([
    [{ PORT: 'eighty' }, /^PORT must be a number from 1 to 65535, but is "eighty"/],
    [{ PORT: '70000' }, /^PORT /],
    [{ PORT: '80.5' }, /^PORT must be a whole number/],
    [{ MAX_UPLOAD_BYTES: '-1' }, /^MAX_UPLOAD_BYTES /],
    [{ REGISTRATION: 'maybe' }, /^REGISTRATION must be one of open, closed/],
    [{ METADATA_MISMATCH: 'ask' }, /^METADATA_MISMATCH must be one of warn, hold/],
    [{ CLINICAL_NOTE: 'docx' }, /^CLINICAL_NOTE must be one of /],
    [{ ARCHIVE_MAX_NESTING: '2' }, /^ARCHIVE_MAX_NESTING must be a number from 0 to 1/],
    [{ RATE_LIMIT_DISABLED: 'yes' }, /^RATE_LIMIT_DISABLED /],
    [{ PACS_URL: 'ftp://pacs' }, /^PACS_URL must be a URL/],
    [{ REDIS_URL: 'localhost:6379' }, /^REDIS_URL /],
    [{ CORS_ORIGINS: 'https://a.example/path' }, /^CORS_ORIGINS /],
    [{ TRUST_PROXY: 'true' }, /^TRUST_PROXY .*trust anybody/],
    [{ TRUST_PROXY: 'banana' }, /^TRUST_PROXY .*"banana"/],
    [{ TRUST_PROXY: 'loopback, 10.0.0.0/33' }, /^TRUST_PROXY .*"10\.0\.0\.0\/33"/],
    [{ TRUST_PROXY: '10.0.0.1/' }, /^TRUST_PROXY /],
    [{ RATE_LIMIT_REGISTER_PER_MINUTE: '0' }, /^RATE_LIMIT_REGISTER_PER_MINUTE /],
    [{ STORAGE: 'tape' }, /^STORAGE must be one of file/],
    [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL /],
    [{ DELIVERY_EAGER: 'emergency' }, /^DELIVERY_EAGER must be one of off, stat/],
    [{ METRICS_PORT: '0' }, /^METRICS_PORT must be a number from 1 to 65535/],
    [{ WORKER_METRICS_PORT: 'x' }, /^WORKER_METRICS_PORT /],
    [{ METRICS_PORT: '8080' }, /^METRICS_PORT and PORT are both 8080/],
    [{ METRICS_TOKEN: 'too short' }, /^METRICS_TOKEN must be 16 characters/],
    [{ METRICS_TOKEN: 'a token with blanks' }, /^METRICS_TOKEN /],
    [{ DATABASE_URL: '' }, /^DATABASE_URL is needed/],
    [{ PACS_URL: 'http://p/dicom-web', PACS_AUTH: 'basic', PACS_USERNAME: 'u' }, /^PACS_PASSWORD is needed/],
  ])('refuses %j with a sentence that names the variable', (env, expected) => {
    expect(complaint(env)).toMatch(expected);
  });

  it.each(['2', 'loopback', '10.0.0.1', '10.0.0.0/8, uniquelocal', 'fd00::/8', '::1/128'])(
    'trusts the proxies of TRUST_PROXY=%s',
    (value) => {
      expect(complaint({ TRUST_PROXY: value })).toBeUndefined();
    },
  );

  it('refuses a password inside PACS_URL without repeating it', () => {
    const refused = complaint({ PACS_URL: 'https://user:hunter2@pacs.example.org/dicom-web' });
    expect(refused).toMatch(/^PACS_URL must not hold .*PACS_USERNAME/);
    expect(refused).not.toContain('hunter2');
  });

  it('tells everything that is wrong at once', () => {
    expect(complaint({ PORT: 'x', LOG_LEVEL: 'y' })?.split('\n')).toHaveLength(2);
  });

  it('never repeats a secret in a complaint', () => {
    const secret = 'mysql://root:hunter2@db/x';
    expect(complaint({ DATABASE_URL: secret })).toMatch(/^DATABASE_URL must be/);
    expect(complaint({ DATABASE_URL: secret })).not.toContain('hunter2');
  });

  it('reads where the metrics are and who may read them', () => {
    const env = {
      METRICS_PORT: '9464',
      WORKER_METRICS_PORT: '9465',
      METRICS_TOKEN: 'a-token-for-prometheus',
    };
    expect(loadConfig({ ...minimal, ...env }).metrics).toEqual({
      port: 9464,
      workerPort: 9465,
      token: 'a-token-for-prometheus',
    });
    expect(complaint({ METRICS_TOKEN: 'hunter2' })).not.toContain('hunter2');
  });

  it('finds the database alone, in the variable or in the file that DATABASE_URL_FILE names', () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'relay-')), 'url');
    writeFileSync(file, `${minimal.DATABASE_URL}\n`);
    expect(loadDatabaseUrl({ DATABASE_URL_FILE: file, PORT: 'x' })).toBe(minimal.DATABASE_URL);
    expect(() => loadDatabaseUrl({})).toThrow(/^DATABASE_URL is needed/);
  });

  it('reads a secret from the file that NAME_FILE names', () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'relay-')), 'password');
    writeFileSync(file, 'from-a-file\n');
    const env = {
      PACS_URL: 'http://p/dicom-web/',
      PACS_AUTH: 'basic',
      PACS_USERNAME: 'u',
      PACS_PASSWORD_FILE: file,
    };
    expect(loadConfig({ ...minimal, ...env }).pacs.all[0]).toMatchObject({
      url: 'http://p/dicom-web',
      auth: { mode: 'basic', username: 'u', password: 'from-a-file' },
    });
    expect(complaint({ ...env, PACS_PASSWORD_FILE: '/nowhere' })).toMatch(
      /PACS_PASSWORD_FILE names the file/,
    );
  });
});
