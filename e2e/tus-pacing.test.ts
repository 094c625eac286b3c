import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { type Stack, startStack } from './support/stack.js';
import { beginFile, head, patch } from './support/tus-requests.js';

const PER_MINUTE = 24;
const EVERY_MS = 60_000 / PER_MINUTE;
/** A quarter of a minute's requests, and the one that is due. */
const BURST = PER_MINUTE / 4 + 1;
/** Held back for at most five seconds. */
const HELD = 5000 / EVERY_MS;

let stack: Stack;

beforeAll(async () => {
  const env = { RATE_LIMIT_DISABLED: '0', RATE_LIMIT_CHUNKS_PER_MINUTE: String(PER_MINUTE) };
  stack = await startStack({ worker: false, env });
});
afterAll(() => stack?.stop());

it('lets a burst pass, holds more back, refuses far more with 503, and never touches other accounts', async () => {
  const jane = await ApiClient.signUp(stack.baseUrl);
  const john = await ApiClient.signUp(stack.baseUrl);
  const file = await beginFile(jane, 1000);
  const his = await beginFile(john, BURST);
  const nothing = new Uint8Array(0);
  const begun = performance.now();
  const all = Array.from({ length: 30 }, async () => {
    const answer = await patch(file, 0, nothing);
    return { ...answer, at: performance.now() - begun };
  });
  // While she waits, he does not, and asking for the offset costs nothing.
  for (let offset = 0; offset < BURST - 1; offset += 1) {
    expect(await patch(his, offset, new Uint8Array(1))).toMatchObject({ status: 204, offset: offset + 1 });
    expect((await head(file)).status).toBe(200);
  }
  expect(performance.now() - begun).toBeLessThan(EVERY_MS);
  const seen = await Promise.all(all);
  const taken = seen.filter(({ status }) => status === 204).map(({ at }) => at);
  const refused = seen.filter(({ status }) => status === 503);
  expect(taken.length + refused.length).toBe(30);
  // However slowly a busy machine brings them: each beyond the burst was due so much later than the one before.
  const tooEarly = taken.sort((a, b) => a - b).filter((at, nth) => at < (nth - BURST) * EVERY_MS);
  expect(tooEarly).toEqual([]);
  // A burst passes before one more is due, and what is held back has an answer when it was held for as long as may be.
  expect(taken[BURST - 2]).toBeLessThan(EVERY_MS);
  expect(taken.at(-1)).toBeLessThan(HELD * EVERY_MS + 3000);
  // Her creation may count as well.
  expect(taken.length).toBeGreaterThanOrEqual(BURST + HELD - 1);
  expect(refused.length).toBeGreaterThan(0);
  for (const { headers, body, at } of refused) {
    expect(at).toBeLessThan(3000);
    expect(body).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(5);
  }
});
