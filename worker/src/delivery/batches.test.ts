import { expect, it } from 'vitest';
import { planBatches } from './batches.js';

const MB = 1024 * 1024;
const instance = (size: number, sends = 0) => ({ size, sends });
const shape = (batches: unknown[][]) => batches.map((batch) => batch.length);

it('puts at most 20 instances into a request', () => {
  expect(shape(planBatches(Array.from({ length: 45 }, () => instance(1000))))).toEqual([20, 20, 5]);
});

it('puts at most 32 MB into a request and a larger instance into one of its own', () => {
  const sizes = [10, 10, 10, 10, 40, 1, 1].map((size) => instance(size * MB));
  expect(shape(planBatches(sizes))).toEqual([3, 1, 1, 2]);
});

it('keeps the order and loses nothing', () => {
  const all = Array.from({ length: 100 }, (_, index) => instance((index % 7) * 3 * MB));
  expect(planBatches(all).flat()).toEqual(all);
});

it('sends what broke off twice alone and last, the most often tried at the very end', () => {
  expect(planBatches([instance(1, 3), instance(1, 2), instance(1, 1), instance(1)])).toEqual([
    [instance(1, 1), instance(1)],
    [instance(1, 2)],
    [instance(1, 3)],
  ]);
});

it('makes no request for nothing', () => {
  expect(planBatches([])).toEqual([]);
});
