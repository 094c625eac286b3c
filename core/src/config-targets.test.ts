import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from './config.js';

const minimal = {
  DATABASE_URL: 'postgres://u:p@127.0.0.1:5432/d',
  PACS_URL: 'https://pacs.example.org/dicom-web',
};
const archive = { PACS_TARGETS: 'archive', PACS_ARCHIVE_URL: 'https://archive.example.org/rs' };
const targets = (env: Record<string, string>) => loadConfig({ ...minimal, ...env }).pacs;
const complaint = (env: Record<string, string>) => {
  try {
    targets(env);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
};

describe('several PACS', () => {
  it('each have their own variables and share none', () => {
    const { all } = targets({
      PACS_AUTH: 'bearer',
      PACS_TOKEN: 'main-token',
      PACS_TARGETS: 'archive, tele-rad',
      PACS_ARCHIVE_URL: 'http://archive/rs',
      PACS_ARCHIVE_AUTH: 'basic',
      PACS_ARCHIVE_USERNAME: 'relay',
      PACS_ARCHIVE_PASSWORD: 'secret',
      PACS_ARCHIVE_VERIFY: 'bytes',
      PACS_ARCHIVE_VERIFY_PERCENT: '10',
      PACS_ARCHIVE_CONCURRENCY: '2',
      PACS_TELE_RAD_URL: 'http://tele/rs',
      PACS_TELE_RAD_NAME: 'Night reading',
    });
    expect(all).toMatchObject([
      { key: 'default', name: 'PACS', prefix: 'PACS_', auth: { mode: 'bearer', token: 'main-token' } },
      {
        key: 'archive',
        name: 'archive',
        prefix: 'PACS_ARCHIVE_',
        url: 'http://archive/rs',
        auth: { mode: 'basic', username: 'relay', password: 'secret' },
        concurrency: 2,
        verification: { level: 'bytes', share: 0.1 },
      },
      { key: 'tele-rad', name: 'Night reading', auth: { mode: 'none' }, verification: { level: 'uids' } },
    ]);
  });

  it('are complained about by the names of their own variables', () => {
    expect(complaint({ ...archive, PACS_ARCHIVE_AUTH: 'basic', PACS_ARCHIVE_PASSWORD: 'x' })).toBe(
      'PACS_ARCHIVE_USERNAME is needed because PACS_ARCHIVE_AUTH is basic.',
    );
    expect(complaint({ PACS_TARGETS: 'archive' })).toBe(
      'PACS_ARCHIVE_URL is needed because PACS_TARGETS names archive.',
    );
    expect(complaint({ ...archive, PACS_URL: '' })).toMatch(/^PACS_URL is needed because PACS_TARGETS/);
  });

  it.each(['Archive', 'oidc', 'default', '1st', 'a_b'])('cannot be called %s', (name) => {
    expect(complaint({ PACS_TARGETS: name })).toMatch(/^PACS_TARGETS lists/);
  });
});

describe('rules', () => {
  it('are read with one value or several', () => {
    const rules = '[{"serviceLevel":"stat","modality":["ct","MR"],"facility":"Hill","target":"archive"}]';
    expect(targets({ ...archive, PACS_RULES: rules }).rules).toEqual([
      { serviceLevels: ['stat'], modalities: ['CT', 'MR'], facilities: ['Hill'], target: 'archive' },
    ]);
  });

  it.each([
    ['no JSON', /PACS_RULES must be a JSON list/],
    ['[{"serviceLevel":"urgent","target":"archive"}]', /0\.serviceLevel/],
    ['[{"modalities":["CT"],"target":"archive"}]', /Unrecognized key/],
    ['[{"target":"nowhere"}]', /sends to "nowhere", which is not one of default, archive/],
  ])('that cannot be used stop the start: %s', (rules, expected) => {
    expect(complaint({ ...archive, PACS_RULES: rules })).toMatch(expected);
  });
});

it('lets senders choose among PACS that exist', () => {
  expect(targets({ ...archive, PACS_CHOICES: 'default archive' }).choices).toEqual(['default', 'archive']);
  expect(complaint({ PACS_CHOICES: 'archive' })).toMatch(/^PACS_CHOICES lists "archive"/);
});
