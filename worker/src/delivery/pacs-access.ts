import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import type { PacsConfig, PacsTls } from '@relaypacs/core/config.js';
import { type Authorization, fixedAuthorization, TokenFile } from './authorization.js';
import { OidcTokens } from './oidc-tokens.js';
import { TokenEndpoint } from './token-endpoint.js';

/** What is kept for one PACS for as long as the process runs. */
export interface PacsAccess {
  authorization: Authorization;
  /** Undefined: no certificates beside those Node trusts by itself. */
  secureContext: SecureContext | undefined;
}

/** The accesses of a process, one for each PACS, so that all of its deliveries share an access token. */
export class PacsAccesses {
  private readonly opened = new WeakMap<PacsConfig, PacsAccess>();

  /** The access of a PACS; the same for the same configuration object. */
  of(pacs: PacsConfig): PacsAccess {
    const access = this.opened.get(pacs) ?? openAccess(pacs);
    this.opened.set(pacs, access);
    return access;
  }
}

function openAccess(pacs: PacsConfig): PacsAccess {
  const secureContext = openSecureContext(pacs.tls);
  const { auth } = pacs;
  if (auth.mode === 'bearer' && auth.tokenFile !== undefined) {
    return { authorization: new TokenFile(auth.tokenFile, auth.token), secureContext };
  }
  if (auth.mode !== 'oidc') return { authorization: fixedAuthorization(auth), secureContext };
  const timeouts = { connectMs: pacs.connectTimeoutMs, silenceMs: pacs.timeoutMs };
  return { authorization: new OidcTokens(new TokenEndpoint(auth, timeouts, secureContext)), secureContext };
}

function openSecureContext({ ca, client }: PacsTls): SecureContext | undefined {
  if (ca === undefined && !client) return undefined;
  return createSecureContext({
    // A list of one's own takes the place of the usual one.
    ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
    ...(client && { cert: client.cert, key: client.key }),
    ...(client?.passphrase !== undefined && { passphrase: client.passphrase }),
  });
}
