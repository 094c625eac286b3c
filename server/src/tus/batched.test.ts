import { expect, it } from 'vitest';
import { batched } from './batched.js';

const soon = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

it('answers a call that comes alone at once', async () => {
  const batches: number[][] = [];
  const double = batched(async (items: readonly number[]) => {
    batches.push([...items]);
    return items.map((item) => item * 2);
  });
  expect(await double(2)).toBe(4);
  expect(await double(3)).toBe(6);
  expect(batches).toEqual([[2], [3]]);
});

it('takes what comes while a query is under way together in the next, and answers each with its own', async () => {
  const batches: number[][] = [];
  const double = batched(async (items: readonly number[]) => {
    batches.push([...items]);
    await soon();
    return items.map((item) => item * 2);
  }, 3);
  const answers = await Promise.all([1, 2, 3, 4, 5].map(double));
  expect(answers).toEqual([2, 4, 6, 8, 10]);
  expect(batches).toEqual([[1], [2, 3, 4], [5]]);
});

it('tells all of a query that fails, and goes on with the next', async () => {
  const query = batched(async (items: readonly string[]) => {
    await soon();
    if (items.includes('bad')) throw new Error('refused');
    return items;
  });
  const first = query('good');
  const [bad, beside] = await Promise.allSettled([query('bad'), query('beside')]);
  expect(await first).toBe('good');
  expect([bad?.status, beside?.status]).toEqual(['rejected', 'rejected']);
  expect(await query('later')).toBe('later');
});
