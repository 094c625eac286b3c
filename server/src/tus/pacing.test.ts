import type { Request, Response } from 'express';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HttpProblem } from '../http/http-problem.js';
import { createPacing, type Pacing } from './pacing.js';

const LIMITS = {
  disabled: false,
  loginPerMinute: 10,
  registerPerMinute: 10,
  uploadInitPerMinute: 100,
  chunksPerMinute: 60,
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Sends the requests of accounts past the pacing and notes when each went on, in ms since it was sent. */
function pacing(limits = LIMITS, note: (outcome: Pacing) => void = () => {}) {
  const pace = createPacing(limits, note);
  return (userId: string) => {
    const sent = performance.now();
    const seen: { wentOnAfter?: number; retryAfter?: string; refused?: HttpProblem } = {};
    const res = {
      locals: { principal: { kind: 'user', userId } },
      setHeader: (_name: string, value: string) => {
        seen.retryAfter = value;
      },
    };
    try {
      pace({} as Request, res as unknown as Response, () => {
        seen.wentOnAfter = performance.now() - sent;
      });
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error;
      seen.refused = error;
    }
    return seen;
  };
}

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

describe('the pacing of chunks', () => {
  it('lets a quarter of a minute pass at once, from the start on, holds the next back, then refuses', () => {
    const send = pacing();
    const seen = times(40, () => send('jane'));
    vi.advanceTimersByTime(20_000);
    const atOnce = seen.filter(({ wentOnAfter }) => wentOnAfter === 0);
    const later = seen.filter(({ wentOnAfter }) => (wentOnAfter ?? 0) > 0);
    const refused = seen.filter((one) => one.refused);
    expect(atOnce).toHaveLength(16);
    expect(later.map(({ wentOnAfter }) => wentOnAfter)).toEqual([1000, 2000, 3000, 4000, 5000]);
    expect(refused).toHaveLength(19);
    for (const { refused: problem, retryAfter } of refused) {
      expect(problem).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
      expect(Number(retryAfter)).toBe(6);
    }
  });

  it('holds nobody back who keeps to the rate', () => {
    const send = pacing();
    for (let i = 0; i < 300; i += 1) {
      expect(send('jane').wentOnAfter).toBe(0);
      vi.advanceTimersByTime(1000);
    }
  });

  it('lets no more than the rate and one burst through, however hard somebody tries', () => {
    const send = pacing();
    const seen: ReturnType<typeof send>[] = [];
    for (let i = 0; i < 600; i += 1) {
      seen.push(send('jane'));
      vi.advanceTimersByTime(100);
    }
    const passed = seen.filter(({ wentOnAfter }) => wentOnAfter !== undefined);
    expect(passed.length).toBeGreaterThanOrEqual(60);
    expect(passed.length).toBeLessThanOrEqual(60 + 15 + 1);
  });

  it('does not count what it refused', () => {
    const send = pacing();
    times(200, () => send('jane'));
    vi.advanceTimersByTime(6000);
    expect(send('jane').wentOnAfter).toBe(0);
  });

  it('counts every account for itself', () => {
    const send = pacing();
    times(100, () => send('jane'));
    expect(send('john').wentOnAfter).toBe(0);
  });

  it('allows the full burst again after a rest, and not more', () => {
    const send = pacing();
    times(100, () => send('jane'));
    vi.advanceTimersByTime(11 * 60_000);
    const seen = times(20, () => send('jane'));
    expect(seen.filter(({ wentOnAfter }) => wentOnAfter === 0)).toHaveLength(16);
  });

  it('tells what it held back and what it refused', () => {
    const noted: Pacing[] = [];
    const send = pacing(LIMITS, (outcome) => noted.push(outcome));
    times(40, () => send('jane'));
    expect(noted).toEqual([...times(5, () => 'delayed'), ...times(19, () => 'refused')]);
  });

  it('can be switched off', () => {
    const send = pacing({ ...LIMITS, disabled: true });
    expect(times(5000, () => send('jane')).every(({ wentOnAfter }) => wentOnAfter === 0)).toBe(true);
  });
});
