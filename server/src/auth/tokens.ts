import { SignJWT } from 'jose';
import type { KeyStore } from './key-store.js';

export const ISSUER = 'relaypacs';
/** Audiences keep the two kinds of token apart: an upload token opens one upload and nothing else. */
export const ACCESS_AUDIENCE = 'relaypacs:api';
export const UPLOAD_AUDIENCE = 'relaypacs:upload';

/** FR-AUTH-02: access tokens live 60 minutes. */
export const ACCESS_TOKEN_SECONDS = 3600;

/** Signs the two kinds of bearer token (RS256). */
export class TokenSigner {
  private readonly keys: KeyStore;

  constructor(keys: KeyStore) {
    this.keys = keys;
  }

  private sign(token: SignJWT, audience: string, userId: string, expires: Date): Promise<string> {
    return token
      .setProtectedHeader({ alg: 'RS256', kid: this.keys.keyId, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(audience)
      .setSubject(userId)
      .setIssuedAt()
      .setExpirationTime(expires)
      .sign(this.keys.privateKey);
  }

  /** @param sessionId - the refresh family it belongs to */
  accessToken(userId: string, sessionId: string): Promise<string> {
    const expires = new Date(Date.now() + ACCESS_TOKEN_SECONDS * 1000);
    return this.sign(new SignJWT({ sid: sessionId }), ACCESS_AUDIENCE, userId, expires);
  }

  /** Lets its holder send the files of one upload until the upload expires. */
  uploadToken(userId: string, uploadId: string, expires: Date): Promise<string> {
    return this.sign(new SignJWT({ uploadId }), UPLOAD_AUDIENCE, userId, expires);
  }
}
