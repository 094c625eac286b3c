import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { LiveChange } from '../../api/live-updates.js';
import { watchSettled } from './watch-settled.js';

const watchers = new Set<(change: LiveChange) => void>();
const live = {
  watch(watcher: (change: LiveChange) => void) {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  },
};
const tell = (change: LiveChange) => {
  for (const watcher of watchers) watcher(change);
};

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
  watchers.clear();
});

it('looks once for many changes and again for a later one', () => {
  const look = vi.fn();
  watchSettled(live, 700, undefined, look);
  for (let file = 0; file < 1000; file += 1) tell({ uploadId: 'u1' });
  expect(look).not.toHaveBeenCalled();
  vi.advanceTimersByTime(700);
  expect(look).toHaveBeenCalledTimes(1);
  tell({ uploadId: 'u2' });
  vi.advanceTimersByTime(700);
  expect(look).toHaveBeenCalledTimes(2);
});

it('leaves out the changes of other uploads, but not those that may be of any', () => {
  const look = vi.fn();
  watchSettled(live, 700, 'u1', look);
  tell({ uploadId: 'u2' });
  vi.advanceTimersByTime(700);
  expect(look).not.toHaveBeenCalled();
  tell({});
  vi.advanceTimersByTime(700);
  expect(look).toHaveBeenCalledTimes(1);
});

it('does not look any more once it has been ended', () => {
  const look = vi.fn();
  const end = watchSettled(live, 700, undefined, look);
  tell({});
  end();
  tell({});
  vi.advanceTimersByTime(2000);
  expect(look).not.toHaveBeenCalled();
});
