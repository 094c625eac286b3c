import type { Config } from '@relaypacs/core/config.js';
import type { RequestHandler } from 'express';
import { principalOf } from '../auth/authenticate.js';
import { HttpProblem } from '../http/http-problem.js';

const MINUTE_MS = 60_000;
/** Requests that may come at once before they are paced. */
const BURST_SHARE = 0.25;
/** A request is held back no longer; what would have to wait longer is refused. */
const MOST_WAIT_MS = 5000;
const FORGET_MS = 5 * MINUTE_MS;

/** What happens to a request that comes too early. */
export type Pacing = 'delayed' | 'refused';

/**
 * Keeps each account to its number of chunks a minute (NFR-SEC-03). Tus clients retry only some statuses and 429 is
 * none of them, so a request that is too early waits before its body is read, and one that would wait for too long is
 * answered 503 with Retry-After. Counted in this process.
 *
 * @param note - told of every request that does not go on at once
 */
export function createPacing(
  { disabled, chunksPerMinute }: Config['rateLimits'],
  note: (outcome: Pacing) => void,
): RequestHandler {
  if (disabled) return (_req, _res, next) => next();
  const everyMs = MINUTE_MS / chunksPerMinute;
  const burstMs = MINUTE_MS * BURST_SHARE;
  /** When the next request of an account is due, if its requests came evenly: milliseconds of `performance.now()`. */
  const due = new Map<string, number>();
  setInterval(() => {
    const long = performance.now() - FORGET_MS;
    for (const [userId, at] of due) if (at < long) due.delete(userId);
  }, FORGET_MS).unref();

  return (_req, res, next) => {
    const { userId } = principalOf(res);
    const now = performance.now();
    const at = Math.max(due.get(userId) ?? Number.NEGATIVE_INFINITY, now - burstMs);
    const wait = at - now;
    if (wait > MOST_WAIT_MS) {
      note('refused');
      res.setHeader('Retry-After', String(Math.ceil(wait / 1000)));
      throw new HttpProblem(
        'UNAVAILABLE',
        'This account sends more requests than the server takes. What has arrived is safe; go on a little later, in larger chunks.',
      );
    }
    due.set(userId, at + everyMs);
    if (wait <= 0) return next();
    note('delayed');
    setTimeout(next, wait);
  };
}
