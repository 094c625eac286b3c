import { expect, it } from 'vitest';
import { verdictOn } from './lone-breaks.js';

const MINUTE = 60_000;

it.each([
  ['ten times while others went', { whileOthersWent: 10, inRow: 1, inRowMs: 0 }, /cannot process/],
  [
    'eight times in a row over half an hour',
    { whileOthersWent: 0, inRow: 8, inRowMs: 30 * MINUTE },
    /breaks off/,
  ],
])('gives an image up over which the PACS broke off %s', (_, breaks, title) => {
  expect(verdictOn(breaks)).toMatchObject({
    code: 'PACS_BREAKS_DOWN',
    title: expect.stringMatching(title),
    remedy: 'contact_pacs',
  });
});

it.each([
  ['nine times while others went', { whileOthersWent: 9, inRow: 7, inRowMs: 60 * MINUTE }],
  ['a hundred times in a few minutes', { whileOthersWent: 0, inRow: 100, inRowMs: 29 * MINUTE }],
])('tries an image again over which it broke off %s', (_, breaks) => {
  expect(verdictOn(breaks)).toBeUndefined();
});
