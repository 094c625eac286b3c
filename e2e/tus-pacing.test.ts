import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiClient } from './support/api-client.js';
import { type Stack, startStack } from './support/stack.js';
import { beginFile, head, patch, type TusAnswer } from './support/tus-requests.js';

let stack: Stack;

beforeAll(async () => {
  const env = { RATE_LIMIT_DISABLED: '0', RATE_LIMIT_CHUNKS_PER_MINUTE: '60' };
  stack = await startStack({ worker: false, env });
});
afterAll(() => stack?.stop());

it('lets a burst pass, holds more back, refuses far more with 503, and never touches other accounts', async () => {
  const jane = await ApiClient.signUp(stack.baseUrl);
  const john = await ApiClient.signUp(stack.baseUrl);
  const file = await beginFile(jane, 1000);
  const seen: TusAnswer[] = [];
  const nothing = new Uint8Array(0);
  const all = Array.from({ length: 30 }, async () => seen.push(await patch(file, 0, nothing)));
  // While she waits, he does not, and asking for the offset costs nothing.
  const his = await beginFile(john, 10);
  const sent = await patch(his, 0, new Uint8Array(10));
  expect(sent.status).toBe(204);
  expect(sent.ms).toBeLessThan(500);
  expect((await head(file)).ms).toBeLessThan(500);
  await Promise.all(all);

  const taken = seen.filter(({ status }) => status === 204);
  const refused = seen.filter(({ status }) => status === 503);
  expect(taken.length + refused.length).toBe(30);
  const atOnce = taken.filter(({ ms }) => ms < 700);
  const held = taken.filter(({ ms }) => ms >= 700);
  expect(atOnce.length).toBeGreaterThanOrEqual(14);
  expect(atOnce.length).toBeLessThanOrEqual(17);
  expect(held.length).toBeGreaterThanOrEqual(4);
  expect(held.length).toBeLessThanOrEqual(6);
  for (const { headers, body, ms } of refused) {
    expect(body).toMatchObject({ status: 503, code: 'UNAVAILABLE' });
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(5);
    expect(ms).toBeLessThan(1000);
  }
});
