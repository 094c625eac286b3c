import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { TextAnswer } from './personalities/personality.js';
import { readText } from './request-text.js';

/** The one client that gets tokens. */
export interface ClientCredentials {
  clientId: string;
  clientSecret: string;
  /** Lifetime of a token in seconds. */
  tokenSeconds: number;
}

/** Where dcm4chee's Keycloak gives tokens. */
export const TOKEN_PATH = '/realms/dcm4che/protocol/openid-connect/token';
const MAX_FORM_BYTES = 16 * 1024;

/** Gives tokens by the client credentials grant (RFC 6749 4.4), in Keycloak's words. They do not outlive it. */
export class TokenIssuer {
  readonly #client: ClientCredentials;
  /** Token → until when it is good, in milliseconds since 1970. */
  readonly #tokens = new Map<string, number>();

  constructor(client: ClientCredentials) {
    this.#client = client;
  }

  accepts(token: string): boolean {
    return (this.#tokens.get(token) ?? 0) > Date.now();
  }

  /** Answers a request to the token endpoint. Throws a 413 for a form that is too long. */
  async answer(request: IncomingMessage, body: AsyncIterable<Buffer>): Promise<TextAnswer> {
    const form = new URLSearchParams(await readText(body, MAX_FORM_BYTES));
    const [id, secret] = credentialsOf(request, form);
    if (form.get('grant_type') !== 'client_credentials') {
      return failure(400, 'unsupported_grant_type', 'Unsupported grant_type');
    }
    if (id !== this.#client.clientId || secret !== this.#client.clientSecret) {
      return failure(401, 'invalid_client', 'Invalid client or Invalid client credentials');
    }
    return tokenAnswer(200, {
      access_token: this.#issue(),
      expires_in: this.#client.tokenSeconds,
      refresh_expires_in: 0,
      token_type: 'Bearer',
      'not-before-policy': 0,
      scope: 'profile email',
    });
  }

  #issue(): string {
    const now = Date.now();
    for (const [token, until] of this.#tokens) if (until <= now) this.#tokens.delete(token);
    const token = randomBytes(32).toString('base64url');
    this.#tokens.set(token, now + this.#client.tokenSeconds * 1000);
    return token;
  }
}

/** From the form, or from Basic, where both are form-encoded first (RFC 6749 2.3.1). */
function credentialsOf({ headers }: IncomingMessage, form: URLSearchParams): [string, string] {
  const basic = /^basic +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (basic === undefined) return [form.get('client_id') ?? '', form.get('client_secret') ?? ''];
  const text = Buffer.from(basic, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return [formDecoded(text.slice(0, colon)), formDecoded(text.slice(colon + 1))];
}

function formDecoded(text: string): string {
  return new URLSearchParams(`x=${text}`).get('x') ?? '';
}

function failure(status: number, error: string, description: string): TextAnswer {
  return tokenAnswer(status, { error, error_description: description });
}

function tokenAnswer(status: number, body: Record<string, unknown>): TextAnswer {
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };
  return { status, headers, body: JSON.stringify(body) };
}
