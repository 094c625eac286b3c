import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { PacsAuth } from '@relaypacs/core/config.js';
import { BEARER_TOKEN } from '@relaypacs/core/config-pacs.js';

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

/**
 * A token in a file that somebody else renews, such as a sidecar: the file is read for every request. What cannot be a token,
 * because the file is gone or empty, leaves the last one in force.
 */
export class TokenFile implements Authorization {
  private readonly path: string;
  private token: string;

  /** @param token - what stood in the file at the start */
  constructor(path: string, token: string) {
    this.path = path;
    this.token = token;
  }

  async header(signal: AbortSignal): Promise<string> {
    const contents = await readFile(this.path, { encoding: 'utf8', signal }).catch(() => '');
    signal.throwIfAborted();
    this.take(contents);
    return this.current;
  }

  refused(header: string): boolean {
    try {
      this.take(readFileSync(this.path, 'utf8'));
    } catch {
      // As above.
    }
    return this.current !== header;
  }

  private get current(): string {
    return `Bearer ${this.token}`;
  }

  private take(contents: string): void {
    const token = contents.trim();
    if (BEARER_TOKEN.test(token)) this.token = token;
  }
}

function headerOf(auth: Exclude<PacsAuth, { mode: 'oidc' }>): string | undefined {
  if (auth.mode === 'none') return undefined;
  if (auth.mode === 'bearer') return `Bearer ${auth.token}`;
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
}
