import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { requestSignal, Stopping } from './delivery-run.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const never = () => new AbortController().signal;

it.each(['before it began', 'while it runs'])(
  'ends requests ten seconds after the worker was stopped %s',
  (when) => {
    const stopping = new AbortController();
    if (when === 'before it began') stopping.abort();
    const { signal, done } = requestSignal(never(), stopping.signal);
    stopping.abort();
    vi.advanceTimersByTime(9_999);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.reason).toBeInstanceOf(Stopping);
    done();
  },
);

it('leaves nothing behind in the end', () => {
  const stopping = new AbortController();
  const { signal, done } = requestSignal(never(), stopping.signal);
  done();
  stopping.abort();
  vi.runAllTimers();
  expect(signal.aborted).toBe(false);
});
