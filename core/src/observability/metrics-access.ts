import { createHash, timingSafeEqual } from 'node:crypto';

const BEARER = /^bearer +(\S+)$/i;

const digest = (text: string) => createHash('sha256').update(text).digest();

/**
 * Whether an Authorization header bears the token. Takes the same time for every wrong one: digests are compared,
 * which have one length.
 */
export function bearsToken(authorization: string | undefined, token: string): boolean {
  const given = BEARER.exec(authorization ?? '')?.[1];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}
