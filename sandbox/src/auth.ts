import type { IncomingMessage } from 'node:http';
import type { Exchange } from './exchange.js';
import { answerWithoutReading } from './faults/connection.js';
import { type ClientCredentials, TokenIssuer } from './token-issuer.js';

export const AUTH_KINDS = ['none', 'basic', 'bearer', 'oidc'] as const;

/** Who is let in to DICOMweb. The page, the faults and the statistics are open to all. */
export type SandboxAuth =
  | { kind: 'none' }
  | { kind: 'basic'; username: string; password: string }
  | { kind: 'bearer'; token: string }
  | ({ kind: 'oidc' } & ClientCredentials);

/** Whether a request is let in; otherwise the challenge for WWW-Authenticate (RFC 9110 11.6.1). */
export type Gate = (request: IncomingMessage) => { letIn: boolean; challenge: string };

export interface Guard {
  gate: Gate;
  /** With OIDC, where tokens are had. */
  issuer?: TokenIssuer;
}

export function guardOf(auth: SandboxAuth): Guard {
  if (auth.kind === 'oidc') {
    const issuer = new TokenIssuer(auth);
    return { issuer, gate: (request) => bearerGate(request, (token) => issuer.accepts(token)) };
  }
  if (auth.kind === 'bearer') {
    return { gate: (request) => bearerGate(request, (token) => token === auth.token) };
  }
  if (auth.kind === 'basic') {
    const expected = Buffer.from(`${auth.username}:${auth.password}`).toString('base64');
    return {
      gate: ({ headers }) => ({
        letIn: /^basic +(\S+)$/i.exec(headers.authorization ?? '')?.[1] === expected,
        challenge: 'Basic realm="sandbox"',
      }),
    };
  }
  return { gate: () => ({ letIn: true, challenge: '' }) };
}

function bearerGate({ headers }: IncomingMessage, accepts: (token: string) => boolean) {
  const token = /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  if (token !== undefined && accepts(token)) return { letIn: true, challenge: '' };
  // RFC 6750 3: an error only where a token was brought.
  const error = token === undefined ? '' : ', error="invalid_token", error_description="Invalid token"';
  return { letIn: false, challenge: `Bearer realm="dcm4che"${error}` };
}

/**
 * Turns away who may not come in, before the body is read. Returns whether it has.
 *
 * dcm4chee-arc's unsecured build has no security domain and answers 403 to whoever brings credentials.
 */
export async function turnAway(exchange: Exchange, { gate }: Guard): Promise<boolean> {
  const { authName, personality, request } = exchange;
  if (authName === 'none' && personality.forbidsCredentials && request.headers.authorization !== undefined) {
    await answerWithoutReading(exchange, 403, { 'Content-Type': 'text/html' }, 'Forbidden');
    return true;
  }
  const { letIn, challenge } = gate(request);
  if (letIn) return false;
  await answerWithoutReading(exchange, 401, { 'WWW-Authenticate': challenge }, 'Unauthorized');
  return true;
}
