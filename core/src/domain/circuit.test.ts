import { expect, it } from 'vitest';
import { probeDelaySeconds, slotsOf } from './circuit.js';

it('asks a PACS that fails less and less often, but often enough to find it within 30 s', () => {
  const delays = [1, 2, 3, 4, 5, 50].map((failures) => probeDelaySeconds(failures, 0, 1));
  expect(delays).toEqual([1, 2, 4, 8, 15, 15]);
  expect(probeDelaySeconds(50, 0, 0)).toBe(12);
});

it('waits as long as the PACS asked for, but no longer than a minute', () => {
  expect(probeDelaySeconds(1, 40)).toBe(40);
  expect(probeDelaySeconds(1, 3600)).toBe(60);
});

it('gives a PACS that failed nothing, and one that came back a single study', () => {
  expect(slotsOf('closed', 8)).toBe(8);
  expect(slotsOf('half_open', 8)).toBe(1);
  expect(slotsOf('open', 8)).toBe(0);
});
