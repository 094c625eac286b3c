import { expect, it } from 'vitest';
import {
  count,
  formatBytes,
  formatDate,
  formatMoment,
  formatPatientName,
  formatTimeLeft,
  percent,
} from './format.js';

it('writes sizes with three digits at most', () => {
  const sizes = [0, 999, 1000, 1234, 99_400, 512_000_000, 999_600, 2_147_483_648];
  expect(sizes.map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1 KB',
    '1.23 KB',
    '99.4 KB',
    '512 MB',
    '1 MB',
    '2.15 GB',
  ]);
});

it('says roughly how long it will take', () => {
  expect([3, 42, 95, 5_400, 40_000].map(formatTimeLeft)).toEqual([
    'a few seconds left',
    'about 40 s left',
    'about 2 min left',
    'about 1.5 h left',
    'about 11 h left',
  ]);
  expect(formatTimeLeft(undefined)).toBe('');
  expect(formatTimeLeft(Number.POSITIVE_INFINITY)).toBe('');
});

it('writes dates so that day and month cannot be confused', () => {
  expect(formatDate('2026-02-03')).toBe('3 Feb 2026');
  expect(formatDate('')).toBe('');
  expect(formatMoment('2026-02-03T10:05:00', new Date('2026-02-03T12:00:00'))).toBe('today, 10:05');
  expect(formatMoment('2026-02-03T10:05:00', new Date('2026-02-04T12:00:00'))).toBe('3 Feb 2026, 10:05');
});

it('counts in words', () => {
  expect([count(1, 'image'), count(2, 'image'), count(1200, 'study', 'studies')]).toEqual([
    '1 image',
    '2 images',
    '1,200 studies',
  ]);
});

it('does not say 100 % too early', () => {
  expect(percent(999_999, 1_000_000)).toBe(99);
  expect(percent(1, 1)).toBe(100);
  expect(percent(0, 0)).toBe(100);
});

it('shows a name as people read it, whoever wrote it', () => {
  expect(formatPatientName('Doe^Jane')).toBe('Doe, Jane');
  expect(formatPatientName('Doe, Jane')).toBe('Doe, Jane');
  expect(formatPatientName('^')).toBe('^');
  expect(formatPatientName('')).toBe('');
});
