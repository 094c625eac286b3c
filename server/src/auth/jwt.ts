import type { Request, Response } from 'express';
import { Passport } from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import type { KeyStore } from './key-store.js';
import { ACCESS_AUDIENCE, ISSUER, UPLOAD_AUDIENCE } from './tokens.js';

/** What an access or upload token says; the signature was good and `exp` was not yet reached. */
export interface Claims {
  sub: string;
  aud: string;
  /** Seconds since 1970. */
  exp: number;
  uploadId?: string;
}

export type VerifyJwt = (req: Request, res: Response) => Promise<Claims | undefined>;

/** Checks a request's bearer by passport-jwt; undefined when it is none of ours or has run out. */
export function createJwtVerifier(keys: KeyStore): VerifyJwt {
  const passport = new Passport();
  passport.use(
    new Strategy(
      {
        jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
        secretOrKey: keys.publicKeyPem,
        algorithms: ['RS256'],
        issuer: ISSUER,
        audience: [ACCESS_AUDIENCE, UPLOAD_AUDIENCE],
      },
      (claims: Claims, done) => done(null, claims),
    ),
  );
  return (req, res) =>
    new Promise((resolve, reject) => {
      const decide = (error: unknown, claims: Claims | false | undefined) => {
        if (error) reject(error);
        else resolve(claims || undefined);
      };
      passport.authenticate('jwt', { session: false }, decide)(req, res, reject);
    });
}
