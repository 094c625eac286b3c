import { expect, it } from 'vitest';
import type { PacsUnavailable } from './pacs-unavailable.js';
import { readTokenAnswer } from './token-endpoint.js';

const refusal = (status: number, body: string, retryAfter?: number): PacsUnavailable => {
  try {
    readTokenAnswer(status, body, retryAfter);
  } catch (error) {
    return error as PacsUnavailable;
  }
  throw new Error('It was taken for a token');
};

it.each([
  ['{"access_token":"abc","token_type":"Bearer","expires_in":300,"scope":"x"}', 300],
  ['{"access_token":"abc","token_type":"bearer","expires_in":"3599"}', 3599],
  ['{"access_token":"abc","expires_in":0}', 0],
  ['{"access_token":"abc"}', undefined],
  ['{"access_token":"abc","expires_in":"soon"}', undefined],
  ['{"access_token":"abc","expires_in":-5}', undefined],
])('reads the token in %s', (body, expiresInSeconds) => {
  expect(readTokenAnswer(200, body)).toEqual({ value: 'abc', expiresInSeconds });
});

it.each([
  [401, '{"error":"invalid_client"}', 'denied', /\(invalid_client\).*PACS_OIDC_CLIENT_SECRET/],
  [401, '{"error":"unauthorized_client"}', 'denied', /PACS_OIDC_CLIENT_SECRET/],
  [400, '{"error":"invalid_scope"}', 'misconfigured', /PACS_OIDC_SCOPE/],
  [403, '{"error":"access_denied"}', 'denied', /PACS_OIDC_AUDIENCE/],
  [400, '{"error":"unsupported_grant_type"}', 'misconfigured', /Client credentials/],
  [403, '<html>hunter2</html>', 'denied', /answers with 403.*PACS_OIDC_CLIENT_ID/],
  [404, 'hunter2', 'misconfigured', /answers with 404.*PACS_OIDC_TOKEN_URL/],
  [302, '', 'misconfigured', /answers with 302/],
  [400, '{"error":"hunter2"}', 'misconfigured', /answers with 400/],
  [500, '{"error":"invalid_client"}', 'busy', /answers with 500.*again later/],
  [503, 'hunter2', 'busy', /answers with 503/],
  [429, '', 'busy', /answers with 429/],
  [200, '<html>hunter2</html>', 'misconfigured', /without an access token/],
  [200, '{"access_token":"hunter2\\r\\nX: 1"}', 'misconfigured', /without an access token/],
  [200, '{"access_token":"hunter2","token_type":"mac"}', 'misconfigured', /another kind than Bearer/],
  [200, 'null', 'misconfigured', /without an access token/],
])('takes %i with %j as %s', (status, body, kind, words) => {
  const error = refusal(status, body, 7);
  expect(error).toMatchObject({ name: 'PacsUnavailable', kind, status, notAsked: true, brokeDown: false });
  expect(error.message).toMatch(/^The token endpoint /);
  expect(error.message).toMatch(words);
  if (kind === 'busy') expect(error.retryAfterSeconds).toBe(7);
  expect(JSON.stringify([error, error.message, error.stack, error.cause])).not.toContain('hunter2');
});
