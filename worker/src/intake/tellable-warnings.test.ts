import { expect, it } from 'vitest';
import { tellable } from './tellable-warnings.js';

const warning = (message: string) => ({ code: 'INSTANCE_NUMBER_GAP', message });

it('keeps out what the database cannot hold', () => {
  const [told] = tellable([warning('Series\0 \ud800x \u{1f600} of “Doe\u0007”')]);
  expect(told?.message).toBe('Series  \ufffdx \u{1f600} of “Doe ”');
});

it('cuts a message that a header has made endless, and tells of a few and how many more', () => {
  const told = tellable(Array.from({ length: 30 }, () => warning('x'.repeat(20_000))));
  expect(told).toHaveLength(21);
  expect(told[0]?.message.length).toBeLessThan(500);
  expect(told.at(-1)).toMatchObject({ code: 'MORE_WARNINGS', message: expect.stringContaining('10 more') });
});
