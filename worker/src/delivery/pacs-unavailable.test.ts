import { expect, it } from 'vitest';
import { retryAfterSeconds, unavailableKind } from './pacs-unavailable.js';

it.each([
  [401, 'denied'],
  [403, 'denied'],
  [408, 'busy'],
  [424, 'busy'],
  [429, 'busy'],
  [500, 'busy'],
  [503, 'busy'],
  [404, 'misconfigured'],
  [302, 'misconfigured'],
  [200, undefined],
  [202, undefined],
  [400, undefined],
  [409, undefined],
  [413, undefined],
])('takes status %i as %s', (status, kind) => {
  expect(unavailableKind(status)).toBe(kind);
});

it('reads Retry-After as seconds and as a date, and caps it', () => {
  const now = Date.parse('2026-01-05T10:00:00Z');
  expect(retryAfterSeconds('7', now)).toBe(7);
  expect(retryAfterSeconds('Mon, 05 Jan 2026 10:01:30 GMT', now)).toBe(90);
  expect(retryAfterSeconds('Mon, 05 Jan 2026 09:00:00 GMT', now)).toBe(0);
  expect(retryAfterSeconds('999999', now)).toBe(3600);
  expect(retryAfterSeconds('soon', now)).toBeUndefined();
  expect(retryAfterSeconds(undefined, now)).toBeUndefined();
});
