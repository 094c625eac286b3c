import type { Database } from '@relaypacs/core/db/database.js';
import { findUser, type UserRow } from '@relaypacs/core/db/users.js';
import { addLogContext } from '@relaypacs/core/observability/logger.js';
import type { RequestHandler, Response } from 'express';
import { Passport } from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { HttpProblem } from '../http/http-problem.js';
import type { KeyStore } from './key-store.js';
import { ACCESS_AUDIENCE, ISSUER, UPLOAD_AUDIENCE } from './tokens.js';

/** Whom a request speaks for: an account, or the holder of one upload's token. */
export type Principal =
  | { kind: 'user'; userId: string; user: UserRow; tokenExpires: Date }
  | { kind: 'upload'; userId: string; user: UserRow; uploadId: string; tokenExpires: Date };

interface Claims {
  sub: string;
  aud: string;
  exp: number;
  uploadId?: string;
}

/** @returns undefined for a token of any other kind than the two */
function principalFor(claims: Claims, user: UserRow): Principal | undefined {
  const account = { userId: user.id, user, tokenExpires: new Date(claims.exp * 1000) };
  if (claims.aud === ACCESS_AUDIENCE) return { kind: 'user', ...account };
  if (claims.aud === UPLOAD_AUDIENCE && claims.uploadId !== undefined) {
    return { kind: 'upload', uploadId: claims.uploadId, ...account };
  }
  return undefined;
}

export interface Guards {
  /** Lets accounts in. */
  requireUser: RequestHandler;
  /** Lets accounts and holders of an upload token in; routes check that it is the right upload. */
  requireUserOrUpload: RequestHandler;
}

/**
 * Bearer tokens by passport-jwt. The account is read with every request, so a disabled one is out at once and not
 * when its token runs out.
 */
export function createGuards(db: Database, keys: KeyStore): Guards {
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
      (claims: Claims, done) => {
        findUser(db, claims.sub).then(
          (user) => {
            if (user?.status !== 'active') return done(null, false);
            return done(null, principalFor(claims, user) ?? false);
          },
          (error: unknown) => done(error, false),
        );
      },
    ),
  );

  const guard = (allows: (principal: Principal) => boolean): RequestHandler => {
    return (req, res, next) => {
      const decide = (error: unknown, principal: Principal | false | undefined) => {
        if (error) return next(error);
        if (principal && allows(principal)) {
          res.locals.principal = principal;
          addLogContext({ userId: principal.userId });
          return next();
        }
        if (req.get('authorization') === undefined) {
          return next(new HttpProblem('UNAUTHENTICATED', 'Sign in first. What has arrived is safe.'));
        }
        return next(
          new HttpProblem(
            'INVALID_TOKEN',
            'The sign-in is no longer valid here. What has arrived is safe; sign in again.',
          ),
        );
      };
      passport.authenticate('jwt', { session: false }, decide)(req, res, next);
    };
  };
  return {
    requireUser: guard((principal) => principal.kind === 'user'),
    requireUserOrUpload: guard(() => true),
  };
}

/** The principal a guard has let in. */
export function principalOf(res: Response): Principal {
  const principal: Principal | undefined = res.locals.principal;
  if (!principal) throw new Error('The route has no guard');
  return principal;
}
