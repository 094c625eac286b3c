import type { PacsStatus } from '@relaypacs/core/contract/admin.js';
import { expect, it } from 'vitest';
import { loadWords, pacsWords, queueWords } from './system-words.js';

const pacs: PacsStatus = {
  key: 'default',
  name: 'Hill PACS',
  isDefault: true,
  circuit: 'closed',
  since: null,
  kind: null,
  reason: null,
  checkedAt: '2026-01-14T10:00:00.000Z',
  latencyMs: 12,
  waiting: 0,
  running: 0,
};
const now = new Date('2026-01-15T12:00:00.000Z');

it('says whether a PACS takes studies, and since when it does not', () => {
  expect(pacsWords(pacs, now)).toMatchObject({ tone: 'good', label: 'Takes studies' });
  const since = '2026-01-14T09:00:00.000Z';
  expect(pacsWords({ ...pacs, circuit: 'open', since }, now)).toMatchObject({
    tone: 'bad',
    label: expect.stringMatching(/^Takes nothing since 14 Jan 2026/),
    sentence: expect.stringMatching(/safe here and wait/),
  });
  expect(pacsWords({ ...pacs, circuit: 'half_open', since }, now).tone).toBe('waiting');
  expect(pacsWords({ ...pacs, checkedAt: null }, now).label).toBe('Not asked yet');
});

it('says what waits and what is on the way', () => {
  expect(loadWords({ waiting: 0, running: 0 })).toBe('Nothing waits for it.');
  expect(loadWords({ waiting: 1, running: 0 })).toBe('1 study waits for it.');
  expect(loadWords({ waiting: 3, running: 2 })).toBe('3 studies wait for it, 2 are on the way.');
  expect(loadWords({ waiting: 0, running: 1 })).toBe('1 study is on the way.');
});

it('says how long the queues are, or that nobody knows', () => {
  expect(queueWords({ intake: 0, delivery: 0 })).toBe('No jobs wait in the queue.');
  expect(queueWords({ intake: 2, delivery: 0 })).toBe('Jobs in the queue: intake 2, delivery 0.');
  expect(queueWords(null)).toMatch(/cannot be asked/);
});
