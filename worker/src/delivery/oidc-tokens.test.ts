import { setMaxListeners } from 'node:events';
import { expect, it } from 'vitest';
import { type AccessToken, OidcTokens } from './oidc-tokens.js';
import { PacsUnavailable } from './pacs-unavailable.js';

const never = new AbortController().signal;
setMaxListeners(0, never);

/** A token endpoint that numbers its tokens, and a clock that is set by hand. */
function endpoint({ expiresInSeconds }: Pick<AccessToken, 'expiresInSeconds'> = { expiresInSeconds: 300 }) {
  const state = {
    asked: 0,
    seconds: 0,
    /** What the next requests wait for. */
    answer: async (): Promise<void> => {},
  };
  const source = {
    async request(): Promise<AccessToken> {
      state.asked += 1;
      const value = `token-${state.asked}`;
      await state.answer();
      return { value, expiresInSeconds };
    },
  };
  return { state, tokens: new OidcTokens(source, () => state.seconds * 1000) };
}

it('keeps a token and renews it before its end', async () => {
  const { state, tokens } = endpoint();
  expect(await tokens.header(never)).toBe('Bearer token-1');
  state.seconds = 269;
  expect(await tokens.header(never)).toBe('Bearer token-1');
  state.seconds = 271;
  expect(await tokens.header(never)).toBe('Bearer token-2');
  expect(state.asked).toBe(2);
});

it.each([
  ['a short life', 60, 44, 46],
  ['a life it is not told', undefined, 269, 271],
])('keeps a token with %s for a while', async (_case, life, kept, renewed) => {
  const { state, tokens } = endpoint({ expiresInSeconds: life });
  await tokens.header(never);
  state.seconds = kept;
  await tokens.header(never);
  expect(state.asked).toBe(1);
  state.seconds = renewed;
  await tokens.header(never);
  expect(state.asked).toBe(2);
});

it('asks once for all who need a token at the same time', async () => {
  const { state, tokens } = endpoint();
  const headers = await Promise.all(Array.from({ length: 20 }, () => tokens.header(never)));
  expect(new Set(headers)).toEqual(new Set(['Bearer token-1']));
  expect(state.asked).toBe(1);
});

it('drops a refused token, but not the one that took its place meanwhile', async () => {
  const { state, tokens } = endpoint();
  const first = await tokens.header(never);
  expect(tokens.refused(first)).toBe(true);
  const second = await tokens.header(never);
  expect(second).toBe('Bearer token-2');
  expect(tokens.refused(first)).toBe(true);
  expect(await tokens.header(never)).toBe(second);
  expect(state.asked).toBe(2);
});

it('goes on with a token that is still good while the endpoint is away', async () => {
  const { state, tokens } = endpoint();
  const away = new PacsUnavailable('unreachable', 'away', { notAsked: true });
  await tokens.header(never);
  state.answer = () => Promise.reject(away);
  state.seconds = 290;
  expect(await tokens.header(never)).toBe('Bearer token-1');
  state.seconds = 301;
  await expect(tokens.header(never)).rejects.toBe(away);
  state.answer = async () => {};
  expect(await tokens.header(never)).toBe('Bearer token-4');
});

it('fails for all who wait, and asks anew the next time', async () => {
  const { state, tokens } = endpoint();
  const away = new PacsUnavailable('unreachable', 'away');
  state.answer = () => Promise.reject(away);
  const waiting = await Promise.allSettled([tokens.header(never), tokens.header(never)]);
  expect(waiting.map((result) => result.status === 'rejected' && result.reason)).toEqual([away, away]);
  state.answer = async () => {};
  expect(await tokens.header(never)).toBe('Bearer token-2');
});

it('lets one who waits go without ending the request for the others', async () => {
  const { state, tokens } = endpoint();
  let go = () => {};
  state.answer = () =>
    new Promise((resolve) => {
      go = resolve;
    });
  const gone = new AbortController();
  const [left, stays] = [tokens.header(gone.signal), tokens.header(never)];
  gone.abort(new Error('enough'));
  await expect(left).rejects.toThrow('enough');
  go();
  expect(await stays).toBe('Bearer token-1');
  expect(state.asked).toBe(1);
});
