import { afterEach, describe, expect, it, vi } from 'vitest';
import { RecentReads } from './recent-reads.js';

afterEach(() => vi.useRealTimers());

/** A source that counts how often it is read. */
function source<V>(answer: (key: string, reads: number) => V | undefined | Promise<V>) {
  const reads: string[] = [];
  const read = (key: string) => async () => {
    reads.push(key);
    return answer(key, reads.length);
  };
  return { reads, read };
}

describe('recent reads', () => {
  it('are read again when they are older than allowed, and not before', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const recent = new RecentReads<number>({ maxAgeMs: 1000, maxEntries: 10 });
    const { read } = source((_key, reads) => reads);
    expect(await recent.get('a', read('a'))).toBe(1);
    vi.advanceTimersByTime(999);
    expect(await recent.get('a', read('a'))).toBe(1);
    vi.advanceTimersByTime(1);
    expect(await recent.get('a', read('a'))).toBe(2);
  });

  it('count their age from when the reading began: what changed meanwhile is not missed for longer', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const recent = new RecentReads<number>({ maxAgeMs: 1000, maxEntries: 10 });
    let answer = (_value: number) => {};
    const slow = recent.get('a', () => new Promise((resolve) => (answer = resolve)));
    vi.advanceTimersByTime(900);
    answer(1);
    expect(await slow).toBe(1);
    vi.advanceTimersByTime(100);
    expect(await recent.get('a', async () => 2)).toBe(2);
  });

  it('are read once for all who ask at the same time', async () => {
    const recent = new RecentReads<string>({ maxAgeMs: 1000, maxEntries: 10 });
    const { reads, read } = source((key) => `value of ${key}`);
    const keys = ['a', 'b', 'a', 'a', 'b'];
    const answers = await Promise.all(keys.map((key) => recent.get(key, read(key))));
    expect(answers).toEqual(keys.map((key) => `value of ${key}`));
    expect(reads).toEqual(['a', 'b']);
  });

  it('keep neither what was not found nor what failed', async () => {
    const recent = new RecentReads<string>({ maxAgeMs: Number.POSITIVE_INFINITY, maxEntries: 10 });
    const { read } = source((_key, reads) => {
      if (reads === 1) return undefined;
      if (reads === 2) throw new Error('The database is away');
      return 'there';
    });
    expect(await recent.get('a', read('a'))).toBeUndefined();
    await expect(recent.get('a', read('a'))).rejects.toThrow('The database is away');
    expect(await recent.get('a', read('a'))).toBe('there');
    expect(await recent.get('a', read('a'))).toBe('there');
  });

  it('are bounded: the one read longest ago is forgotten first', async () => {
    const recent = new RecentReads<string>({ maxAgeMs: Number.POSITIVE_INFINITY, maxEntries: 2 });
    const { reads, read } = source((key) => key);
    for (const key of ['a', 'b', 'c', 'b', 'c', 'a']) await recent.get(key, read(key));
    expect(reads).toEqual(['a', 'b', 'c', 'a']);
  });
});
