import type { PacsAuth } from '@relaypacs/core/config.js';

/** What RelayPACS shows a PACS to be let in. */
export interface Authorization {
  /**
   * The value of the Authorization header.
   *
   * @returns undefined where none is to be sent
   * @throws PacsUnavailable when it cannot be had now
   */
  header(signal: AbortSignal): Promise<string | undefined>;
  /**
   * The PACS answered 401 to this value.
   *
   * @returns whether the next value will be another one
   */
  refused(header: string): boolean;
}

/** Credentials that stay as they are. */
export function fixedAuthorization(auth: Exclude<PacsAuth, { mode: 'oidc' }>): Authorization {
  const header = headerOf(auth);
  return { header: async () => header, refused: () => false };
}

function headerOf(auth: Exclude<PacsAuth, { mode: 'oidc' }>): string | undefined {
  if (auth.mode === 'none') return undefined;
  if (auth.mode === 'bearer') return `Bearer ${auth.token}`;
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
}
