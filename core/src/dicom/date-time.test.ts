import { expect, it } from 'vitest';
import { isoDate, isoTime } from './date-time.js';

it.each([
  ['20260105', '2026-01-05'],
  ['20240229', '2024-02-29'],
  ['1996.10.29', '1996-10-29'],
  ['20250229', undefined],
  ['20261301', undefined],
  ['2026-01-05', undefined],
  ['202601', undefined],
  ['', undefined],
])('the date %s becomes %s', (value, expected) => {
  expect(isoDate(value)).toBe(expected);
});

it.each([
  ['101500', '10:15:00'],
  ['101500.123456', '10:15:00'],
  ['1015', '10:15:00'],
  ['10', '10:00:00'],
  ['15:18:59', '15:18:59'],
  ['235960', '23:59:60'],
  ['240000', undefined],
  ['106000', undefined],
  ['10:15', undefined],
  ['', undefined],
])('the time %s becomes %s', (value, expected) => {
  expect(isoTime(value)).toBe(expected);
});
