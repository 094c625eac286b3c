import bcrypt from 'bcrypt';
import { HttpProblem } from '../http/http-problem.js';

/** FR-AUTH-03. */
const COST = 12;
/** bcrypt runs on the four threads that also write files: two of them are always left to the uploads. */
const AT_ONCE = 2;
const MOST_WAITING = 50;

let running = 0;
const waiting: Array<() => void> = [];

/** Runs `work` when its turn comes. */
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) {
    if (waiting.length >= MOST_WAITING) {
      throw new HttpProblem('UNAVAILABLE', 'Too many people are signing in just now. Try again in a moment.');
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else {
    running += 1;
  }
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    // The place goes straight to the next one, so that nobody overtakes.
    if (next) next();
    else running -= 1;
  }
}

/** @throws HttpProblem UNAVAILABLE when too many wait already */
export function hashPassword(password: string): Promise<string> {
  return inTurn(() => bcrypt.hash(password, COST));
}

// Compared against when there is no such account, so that the answer takes as long as for one that exists.
const NOBODY = hashPassword('no account has this password');

/**
 * True when the password belongs to the hash; false, after the same time, when there is no hash.
 *
 * @throws HttpProblem UNAVAILABLE when too many wait already
 */
export async function verifyPassword(password: string, hash: string | undefined): Promise<boolean> {
  const compared = hash ?? (await NOBODY);
  const matches = await inTurn(() => bcrypt.compare(password, compared));
  return matches && hash !== undefined;
}
