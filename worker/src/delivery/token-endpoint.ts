import type { SecureContext } from 'node:tls';
import type { PacsAuth } from '@relaypacs/core/config.js';
import { readText } from './answer-text.js';
import { exchange, openAgent, type Peer, type Timeouts } from './http-exchange.js';
import type { AccessToken, TokenSource } from './oidc-tokens.js';
import { PacsUnavailable, retryAfterSeconds, unavailableKind } from './pacs-unavailable.js';

type OidcAuth = Extract<PacsAuth, { mode: 'oidc' }>;

const TOKEN_ENDPOINT: Peer = { name: 'the token endpoint', variable: 'PACS_OIDC_TOKEN_URL' };
const MOST_ANSWER_BYTES = 1024 * 1024;
const NEVER = new AbortController().signal;

/** An OAuth 2 token endpoint that is asked with client credentials (RFC 6749 §4.4). */
export class TokenEndpoint implements TokenSource {
  private readonly auth: OidcAuth;
  private readonly timeouts: Timeouts;
  private readonly secureContext: SecureContext | undefined;
  /** How the endpoint wants the secret; every one must take `basic` (RFC 6749 §2.3.1), and some clients may not use it. */
  private secretIn: 'basic' | 'body' = 'basic';

  constructor(auth: OidcAuth, timeouts: Timeouts, secureContext: SecureContext | undefined) {
    this.auth = auth;
    this.timeouts = timeouts;
    this.secureContext = secureContext;
  }

  /**
   * Asks for a new token.
   *
   * @throws PacsUnavailable `unreachable` or `busy` when the endpoint is away, `denied` when it does not know the
   * client, `misconfigured` when it is no token endpoint or grants nothing of the kind
   */
  async request(): Promise<AccessToken> {
    try {
      return await this.ask(this.secretIn);
    } catch (error) {
      if (!(error instanceof PacsUnavailable) || error.kind !== 'denied') throw error;
      const other = this.secretIn === 'basic' ? 'body' : 'basic';
      // It is the first answer that counts: the second way may be refused for being the wrong one.
      const token = await this.ask(other).catch(() => Promise.reject(error));
      this.secretIn = other;
      return token;
    }
  }

  private async ask(secretIn: 'basic' | 'body'): Promise<AccessToken> {
    const { clientId, clientSecret, scope, audience, tokenUrl } = this.auth;
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (scope !== undefined) form.set('scope', scope);
    if (audience !== undefined) form.set('audience', audience);
    const headers: Record<string, string> = {
      Accept: 'application/json',
      'Content-Type': 'application/x-www-form-urlencoded',
    };
    if (secretIn === 'basic') headers.Authorization = basicCredentials(clientId, clientSecret);
    else {
      form.set('client_id', clientId);
      form.set('client_secret', clientSecret);
    }
    const bytes = Buffer.from(form.toString());
    const url = new URL(tokenUrl);
    // A connection of its own: tokens are asked for too seldom to keep one, and a kept one might be closed already.
    const agent = openAgent(url.protocol, this.secureContext);
    const { timeouts } = this;
    const body = { length: bytes.length, chunks: once(bytes) };
    try {
      return await exchange(
        { method: 'POST', url, headers, agent, peer: TOKEN_ENDPOINT, timeouts, signal: NEVER, body },
        async (response) => {
          const retryAfter = retryAfterSeconds(response.headers['retry-after']);
          return readTokenAnswer(
            response.statusCode ?? 0,
            await readText(response, MOST_ANSWER_BYTES),
            retryAfter,
          );
        },
      );
    } finally {
      agent.destroy();
    }
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Both are form-encoded first, so that the id may hold a colon (RFC 6749 §2.3.1). */
function basicCredentials(clientId: string, clientSecret: string): string {
  const [id, secret] = [clientId, clientSecret].map((text) =>
    new URLSearchParams({ '': text }).toString().slice(1),
  );
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
}

/**
 * Reads the answer of a token endpoint (RFC 6749 §5.1 and §5.2).
 *
 * @throws PacsUnavailable for anything but a token, without a word of the answer but its error code
 */
export function readTokenAnswer(
  status: number,
  body: string,
  retryAfter: number | undefined = undefined,
): AccessToken {
  const answer = jsonObject(body);
  if (status >= 200 && status < 300) return readToken(answer, status);
  const refusal = REFUSALS.get(typeof answer.error === 'string' ? answer.error : '');
  if (refusal && status < 500) {
    throw endpointProblem(refusal.kind, `refuses a token (${answer.error}). ${refusal.advice}`, status);
  }
  const kind = unavailableKind(status) ?? 'misconfigured';
  const advice =
    kind === 'busy' ? 'It is asked again later.' : kind === 'denied' ? CHECK_CLIENT : CHECK_ENDPOINT;
  throw endpointProblem(kind, `answers with ${status}. ${advice}`, status, retryAfter);
}

const CHECK_CLIENT = 'Check PACS_OIDC_CLIENT_ID and PACS_OIDC_CLIENT_SECRET.';
const CHECK_ENDPOINT = 'Check PACS_OIDC_TOKEN_URL.';
const CHECK_SCOPE = 'Check PACS_OIDC_SCOPE and PACS_OIDC_AUDIENCE.';

/** RFC 6749 §5.2, RFC 8707 §2, and what Auth0 and Entra say beside it. */
const REFUSALS = new Map<string, { kind: 'denied' | 'misconfigured'; advice: string }>([
  ['invalid_client', { kind: 'denied', advice: CHECK_CLIENT }],
  [
    'unauthorized_client',
    { kind: 'denied', advice: `${CHECK_CLIENT} The client must be allowed to use client credentials.` },
  ],
  ['access_denied', { kind: 'denied', advice: `${CHECK_CLIENT} ${CHECK_SCOPE}` }],
  ['invalid_scope', { kind: 'misconfigured', advice: CHECK_SCOPE }],
  ['invalid_target', { kind: 'misconfigured', advice: CHECK_SCOPE }],
  ['invalid_resource', { kind: 'misconfigured', advice: CHECK_SCOPE }],
  ['invalid_request', { kind: 'misconfigured', advice: CHECK_SCOPE }],
  [
    'unsupported_grant_type',
    { kind: 'misconfigured', advice: 'Client credentials must be switched on there.' },
  ],
]);

function readToken(answer: Record<string, unknown>, status: number): AccessToken {
  const { access_token: value, token_type: type, expires_in: life } = answer;
  // What could not stand in a header is no token.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
    throw endpointProblem('misconfigured', `answers without an access token. ${CHECK_ENDPOINT}`, status);
  }
  if (typeof type === 'string' && type.toLowerCase() !== 'bearer') {
    throw endpointProblem('misconfigured', 'gives tokens of another kind than Bearer.', status);
  }
  // Some give the number as text.
  const seconds = typeof life === 'string' && life !== '' ? Number(life) : life;
  const known = typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0;
  return { value, expiresInSeconds: known ? seconds : undefined };
}

function endpointProblem(
  kind: PacsUnavailable['kind'],
  what: string,
  status: number,
  retryAfter?: number,
): PacsUnavailable {
  return new PacsUnavailable(kind, `The token endpoint ${what}`, {
    status,
    notAsked: true,
    ...(retryAfter === undefined ? {} : { retryAfterSeconds: retryAfter }),
  });
}

function jsonObject(text: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed !== null && typeof parsed === 'object' ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
