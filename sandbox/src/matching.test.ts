import { describe, expect, it } from 'vitest';
import type { JsonValue } from './dicom-json.js';
import { matcherOf, matchesWildcard } from './matching.js';

const matches = (vr: string, key: string, ...Value: JsonValue[]) => matcherOf(vr, key)({ vr, Value });

describe('matcherOf', () => {
  it('takes an empty key as matching everything, even what is not there', () => {
    expect(matcherOf('PN', '')(undefined)).toBe(true);
    expect(matcherOf('PN', '*')(undefined)).toBe(false);
    expect(matcherOf('PN', '*')({ vr: 'PN' })).toBe(true);
  });

  it('matches single values exactly, upper and lower case apart', () => {
    expect(matches('LO', 'P1', 'P1')).toBe(true);
    expect(matches('LO', 'p1', 'P1')).toBe(false);
    expect(matches('CS', 'SECONDARY', 'DERIVED', 'SECONDARY')).toBe(true);
  });

  it('matches any of a list, by comma or backslash', () => {
    for (const key of ['1.2,1.3', '1.2\\1.3']) {
      expect(matches('UI', key, '1.3')).toBe(true);
      expect(matches('UI', key, '1.4')).toBe(false);
    }
  });

  it('matches numbers by value', () => {
    expect(matches('IS', '007', 7)).toBe(true);
    expect(matches('US', '7.0', 7)).toBe(true);
    expect(matches('US', 'abc', 7)).toBe(false);
  });

  it('matches a name by any of its groups', () => {
    const name = { Alphabetic: 'Yamada^Tarou', Ideographic: '山田^太郎' };
    for (const key of ['Yamada^Tarou', 'Yamada*', '山田*', '*Tarou', 'Y?mada^T*'])
      expect(matches('PN', key, name)).toBe(true);
    for (const key of ['yamada*', 'Yamada', '太郎*']) expect(matches('PN', key, name)).toBe(false);
  });

  it.each([
    ['20240131', true],
    ['20240130', false],
    ['20240101-20240131', true],
    ['20240131-20240201', true],
    ['20240201-20240229', false],
    ['20240201-', false],
    ['20240131-', true],
    ['-20240131', true],
    ['-20240130', false],
    ['19991231,20240131', true],
  ])('matches the date range %s', (key, expected) => {
    expect(matches('DA', key, '20240131')).toBe(expected);
  });

  it('matches time ranges with fractions', () => {
    expect(matches('TM', '1000-1015', '101559.5')).toBe(true);
    expect(matches('TM', '1000-1014', '101559.5')).toBe(false);
  });

  it('refuses wild cards where there are none', () => {
    for (const vr of ['UI', 'DA', 'IS']) expect(() => matcherOf(vr, '1*')).toThrow(/out of range/);
  });
});

describe('matchesWildcard', () => {
  it.each([
    ['abc', '*', true],
    ['', '*', true],
    ['', '?', false],
    ['abc', 'a*c', true],
    ['abcbc', 'a*bc', true],
    ['abc', '*b', false],
    ['a.c', 'a.c', true],
    ['abc', 'a.c', false],
    ['a*c', 'a**c', true],
  ])('%s against %s', (text, pattern, expected) => {
    expect(matchesWildcard(text, pattern)).toBe(expected);
  });

  it('is quick on patterns made to be slow', () => {
    const start = performance.now();
    expect(matchesWildcard('a'.repeat(5000), `${'a*'.repeat(50)}b`)).toBe(false);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});
