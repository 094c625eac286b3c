/**
 * Milliseconds to wait before the next attempt (attempts count from 1): doubling from 1 s to 30 s, less up to
 * 20 % so that many waiting devices do not all come back at the same moment.
 */
export function backoffMs(attempt: number, first = 1_000, most = 30_000, random = Math.random()): number {
  const base = Math.min(most, first * 2 ** Math.min(30, Math.max(0, attempt - 1)));
  return base * (0.8 + 0.2 * random);
}
