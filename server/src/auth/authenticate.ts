import { API_TOKEN_PREFIX, type ApiTokenScope } from '@relaypacs/core/contract/api-tokens.js';
import { type ApiTokenRow, findLiveApiToken, markApiTokenUsed } from '@relaypacs/core/db/api-tokens.js';
import { isId } from '@relaypacs/core/db/ids.js';
import { findUser, type UserRow } from '@relaypacs/core/db/users.js';
import { addLogContext } from '@relaypacs/core/observability/logger.js';
import type { Platform } from '@relaypacs/core/platform.js';
import type { Request, RequestHandler, Response } from 'express';
import { HttpProblem } from '../http/http-problem.js';
import { apiTokenHash } from './api-tokens.js';
import { type Claims, createJwtVerifier } from './jwt.js';
import type { KeyStore } from './key-store.js';
import { RecentReads } from './recent-reads.js';
import { ACCESS_AUDIENCE, UPLOAD_AUDIENCE } from './tokens.js';

interface Account {
  userId: string;
  user: UserRow;
  tokenExpires: Date;
}

/** Whom a request speaks for: an account, the holder of one upload's token, or a program with an API token. */
export type Principal =
  | ({ kind: 'user' } & Account)
  | ({ kind: 'upload'; uploadId: string } & Account)
  | ({ kind: 'token'; tokenId: string; scopes: readonly ApiTokenScope[] } & Account);

export interface Guards {
  /** Lets accounts in. */
  requireUser: RequestHandler;
  /** Lets administrators in who are signed in. */
  requireAdmin: RequestHandler;
  /** Lets accounts in, and API tokens that may send uploads. */
  requireUploader: RequestHandler;
  /** Lets in whom `requireUploader` does and holders of an upload token; routes check that it is the right upload. */
  requireUserOrUpload: RequestHandler;
}

/** A disabled account and a revoked API token are out after this long, on every server. */
const FRESH_MS = 1000;
/** Accounts and tokens at work at the same time, more or less; some 700 bytes each. */
const MOST_REMEMBERED = 5000;
const USE_NOTED_EVERY_MS = 60_000;

const BEARER = /^bearer +(\S+)$/i;

const noToken = () => new HttpProblem('UNAUTHENTICATED', 'Sign in first. What has arrived is safe.');
const wrongToken = () =>
  new HttpProblem(
    'INVALID_TOKEN',
    'The sign-in is not valid here, or no longer. What has arrived is safe; sign in again.',
  );
const wrongApiToken = () =>
  new HttpProblem(
    'INVALID_TOKEN',
    'The API token is not known, was revoked or has expired. What has arrived is safe; make a new token.',
  );

/** Finds out whom a bearer token speaks for. */
function createPrincipals({ db, logger }: Pick<Platform, 'db' | 'logger'>, keys: KeyStore) {
  const verifyJwt = createJwtVerifier(keys);
  // A signature that was good stays good; whether the token has run out is looked at each time.
  const claims = new RecentReads<Claims>({
    maxAgeMs: Number.POSITIVE_INFINITY,
    maxEntries: MOST_REMEMBERED,
  });
  const users = new RecentReads<UserRow>({ maxAgeMs: FRESH_MS, maxEntries: MOST_REMEMBERED });
  const apiTokens = new RecentReads<ApiTokenRow>({ maxAgeMs: FRESH_MS, maxEntries: MOST_REMEMBERED });

  async function accountOf(userId: string, tokenExpires: Date): Promise<Account | undefined> {
    if (tokenExpires.getTime() <= Date.now() || !isId(userId)) return undefined;
    const user = await users.get(userId, () => findUser(db, userId));
    return user?.status === 'active' ? { userId, user, tokenExpires } : undefined;
  }

  async function readApiToken(text: string): Promise<ApiTokenRow | undefined> {
    const hash = apiTokenHash(text);
    const row = hash && (await findLiveApiToken(db, hash));
    const since = new Date(Date.now() - USE_NOTED_EVERY_MS);
    if (row && (row.lastUsedAt === null || row.lastUsedAt < since)) {
      // Not waited for: a request must not fail or be slow because of a remark.
      markApiTokenUsed(db, row.id, since).catch((error: unknown) =>
        logger.warn('The use of an API token could not be noted', { error }),
      );
    }
    return row;
  }

  async function ofApiToken(text: string): Promise<Principal | undefined> {
    const row = await apiTokens.get(text, () => readApiToken(text));
    const account = row && (await accountOf(row.userId, row.expiresAt));
    return account && { kind: 'token', tokenId: row.id, scopes: row.scopes, ...account };
  }

  async function ofJwt(text: string, req: Request, res: Response): Promise<Principal | undefined> {
    const known = await claims.get(text, () => verifyJwt(req, res));
    const account = known && (await accountOf(known.sub, new Date(known.exp * 1000)));
    if (!account) return undefined;
    if (known.aud === ACCESS_AUDIENCE) return { kind: 'user', ...account };
    if (known.aud === UPLOAD_AUDIENCE && known.uploadId !== undefined) {
      return { kind: 'upload', uploadId: known.uploadId, ...account };
    }
    return undefined;
  }

  /** @throws HttpProblem UNAUTHENTICATED, INVALID_TOKEN */
  return async (req: Request, res: Response): Promise<Principal> => {
    const header = req.get('authorization');
    if (header === undefined) throw noToken();
    const text = BEARER.exec(header)?.[1];
    if (text === undefined) throw wrongToken();
    const isApiToken = text.startsWith(API_TOKEN_PREFIX);
    const principal = await (isApiToken ? ofApiToken(text) : ofJwt(text, req, res));
    if (!principal) throw isApiToken ? wrongApiToken() : wrongToken();
    return principal;
  };
}

/** Why the principal is not let in; undefined when it is. */
type Refusal = (principal: Principal) => HttpProblem | undefined;

const unlessUser: Refusal = ({ kind }) => {
  if (kind === 'user') return undefined;
  if (kind === 'upload') return wrongToken();
  return new HttpProblem(
    'FORBIDDEN',
    'An API token cannot do this. Sign in with username and password and use the access token.',
  );
};

const unlessAdmin: Refusal = ({ user }) =>
  user.role === 'Admin'
    ? undefined
    : new HttpProblem('FORBIDDEN', 'Only an administrator may see this. Nothing was changed.');

const unlessUploadsAllowed: Refusal = (principal) =>
  principal.kind === 'token' && !principal.scopes.includes('uploads:write')
    ? new HttpProblem(
        'FORBIDDEN',
        'This API token lacks the scope uploads:write. Nothing was changed; use a token that has it.',
      )
    : undefined;

/**
 * Bearer tokens: signed ones by passport-jwt, API tokens by their hash. What was read of an account or an API token
 * holds for one second, so a disabled account is out at once and not when its token runs out.
 */
export function createGuards(platform: Pick<Platform, 'db' | 'logger'>, keys: KeyStore): Guards {
  const principalFor = createPrincipals(platform, keys);

  const guard = (refusal: Refusal): RequestHandler => {
    return async (req, res, next) => {
      const principal = await principalFor(req, res);
      const refused = refusal(principal);
      if (refused) throw refused;
      res.locals.principal = principal;
      addLogContext({ userId: principal.userId });
      next();
    };
  };
  return {
    requireUser: guard(unlessUser),
    requireAdmin: guard((principal) => unlessUser(principal) ?? unlessAdmin(principal)),
    requireUploader: guard((principal) =>
      principal.kind === 'upload' ? wrongToken() : unlessUploadsAllowed(principal),
    ),
    requireUserOrUpload: guard(unlessUploadsAllowed),
  };
}

/** The principal a guard has let in. */
export function principalOf(res: Response): Principal {
  const principal: Principal | undefined = res.locals.principal;
  if (!principal) throw new Error('The route has no guard');
  return principal;
}
