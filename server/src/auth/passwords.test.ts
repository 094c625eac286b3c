import { describe, expect, it } from 'vitest';
import { HttpProblem } from '../http/http-problem.js';
import { hashPassword, verifyPassword } from './passwords.js';

describe('passwords', () => {
  it('belong to their hash and to no other', async () => {
    const hash = await hashPassword('Correct-horse-7');
    expect(await verifyPassword('Correct-horse-7', hash)).toBe(true);
    expect(await verifyPassword('correct-horse-7', hash)).toBe(false);
    expect(await verifyPassword('Correct-horse-7', undefined)).toBe(false);
  });

  it('are checked two at a time with fifty waiting; more are asked to come again', async () => {
    // A hash of the lowest cost, so that the queue is through soon.
    const hash = '$2b$04$N9qo8uLOickgx2ZMRZoMye.IjZAgcfl7p92ldGxad68LJZdL17lhW';
    const all = await Promise.allSettled(Array.from({ length: 60 }, () => verifyPassword('x', hash)));
    const refused = all.filter((one) => one.status === 'rejected');
    expect(refused).toHaveLength(60 - 2 - 50);
    for (const { reason } of refused) {
      expect(reason).toBeInstanceOf(HttpProblem);
      expect(reason).toMatchObject({ code: 'UNAVAILABLE', status: 503 });
    }
    expect(await verifyPassword('x', hash)).toBe(false);
  });
});
