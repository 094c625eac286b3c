import { expect, it } from 'vitest';
import { inParallel } from './in-parallel.js';

it('works on several at once, but never on more than the limit', async () => {
  let running = 0;
  let most = 0;
  await inParallel([1, 2, 3, 4, 5, 6], 3, async () => {
    running += 1;
    most = Math.max(most, running);
    await Promise.resolve();
    running -= 1;
  });
  expect(most).toBe(3);
});

it('begins nothing new after a failure, lets the others finish, and reports it', async () => {
  const begun: number[] = [];
  const finished: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    if (item === 1) throw new Error('first');
    await new Promise(setImmediate);
    finished.push(item);
  };
  await expect(inParallel([1, 2, 3, 4], 2, work)).rejects.toThrow('first');
  expect(begun).toEqual([1, 2]);
  expect(finished).toEqual([2]);
});
