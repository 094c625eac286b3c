import { expect, it } from 'vitest';
import { ReceiptRenderer } from './receipt-renderer.js';

const nothing = async () => undefined;

it('renders one receipt at a time', async () => {
  let [running, most] = [0, 0];
  const renderer = new ReceiptRenderer(async (jws) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
    return Buffer.from(jws);
  });
  const rendered = await Promise.all(['a', 'b', 'c'].map((jws) => renderer.render(nothing, jws)));
  expect(rendered.map(String)).toEqual(['a', 'b', 'c']);
  expect(most).toBe(1);
});

it('does not render again what was rendered while it waited', async () => {
  let times = 0;
  let stored: Uint8Array | undefined;
  const renderer = new ReceiptRenderer(async (jws) => {
    times += 1;
    stored = Buffer.from(jws);
    return stored;
  });
  const [one, two] = await Promise.all([1, 2].map(() => renderer.render(async () => stored, 'a')));
  expect([times, one === two]).toEqual([1, true]);
});

it('goes on with the next when one fails', async () => {
  const renderer = new ReceiptRenderer(async (jws) => {
    if (jws === 'bad') throw new Error('Cannot be rendered');
    return Buffer.from(jws);
  });
  const [bad, good] = await Promise.allSettled([
    renderer.render(nothing, 'bad'),
    renderer.render(nothing, 'good'),
  ]);
  expect([bad.status, good.status]).toEqual(['rejected', 'fulfilled']);
});
