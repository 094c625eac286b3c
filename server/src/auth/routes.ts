import {
  LoginRequestSchema,
  RefreshRequestSchema,
  RegisterRequestSchema,
  type RegisterResponse,
  type Session,
} from '@relaypacs/core/contract/accounts.js';
import { findUserByLogin, type UserRow } from '@relaypacs/core/db/users.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { type Request, type Response, Router } from 'express';
import { HttpProblem } from '../http/http-problem.js';
import type { RateLimits } from '../http/rate-limits.js';
import { actorOf } from '../http/request-context.js';
import { readBody } from '../http/validate.js';
import { type Guards, principalOf } from './authenticate.js';
import { verifyPassword } from './passwords.js';
import { presentUser } from './present-user.js';
import { clearRefreshCookie, readRefreshCookie, setRefreshCookie } from './refresh-cookie.js';
import { type RefreshGrant, RefreshSessions } from './refresh-sessions.js';
import { register } from './register.js';
import { ACCESS_TOKEN_SECONDS, type TokenSigner } from './tokens.js';

export interface AuthDeps {
  platform: Platform;
  signer: TokenSigner;
  guards: Guards;
  rateLimits: RateLimits;
}

function assertMayEnter(user: UserRow): void {
  if (user.status === 'pending') {
    throw new HttpProblem(
      'ACCOUNT_PENDING',
      'An administrator has to approve this account before it can be used.',
    );
  }
  if (user.status === 'disabled') {
    throw new HttpProblem('ACCOUNT_DISABLED', 'This account is disabled. Ask your administrator.');
  }
}

/** `/api/v1/auth`: register, login, refresh, logout. */
export function authRoutes({ platform, signer, rateLimits }: AuthDeps): Router {
  const { db, transact, config } = platform;
  const sessions = new RefreshSessions(transact);
  const router = Router();

  /** Answers with a new access token and its refresh token: in a cookie, or in the body where that was asked for. */
  async function answerSession(
    req: Request,
    res: Response,
    user: UserRow,
    grant: RefreshGrant,
  ): Promise<void> {
    const session: Session = {
      accessToken: await signer.accessToken(user.id, grant.sessionId),
      expiresIn: ACCESS_TOKEN_SECONDS,
      user: presentUser(user),
    };
    // A client that sent its token in the body has no cookie jar and gets the next one the same way.
    const inBody = req.query.tokenDelivery === 'body' || typeof req.body?.refreshToken === 'string';
    if (inBody) session.refreshToken = grant.refreshToken;
    else setRefreshCookie(req, res, grant.refreshToken, config);
    res.setHeader('Cache-Control', 'no-store');
    res.json(session);
  }

  router.post('/register', rateLimits.register, async (req, res) => {
    const request = readBody(RegisterRequestSchema, req);
    const user = await register(transact, config.registration, request, actorOf(req, res));
    const answer: RegisterResponse = { user: presentUser(user), pendingApproval: user.status === 'pending' };
    res.status(201).json(answer);
  });

  router.post('/login', rateLimits.login, async (req, res) => {
    const request = readBody(LoginRequestSchema, req);
    const user = await findUserByLogin(db, request.username);
    if (!(await verifyPassword(request.password, user?.passwordHash)) || !user) {
      if (user) {
        await transact(async (unit) =>
          unit.audit({
            actor: actorOf(req, res),
            action: 'user.login_failed',
            objectType: 'user',
            objectId: user.id,
          }),
        );
      }
      throw new HttpProblem(
        'INVALID_CREDENTIALS',
        'The username or the password is wrong. Check both and try again.',
      );
    }
    assertMayEnter(user);
    await answerSession(req, res, user, await sessions.begin(user.id, actorOf(req, res)));
  });

  router.post('/refresh', async (req, res) => {
    const token = readBody(RefreshRequestSchema, req).refreshToken ?? readRefreshCookie(req);
    if (token === undefined) throw new HttpProblem('UNAUTHENTICATED', 'Nobody is signed in here. Sign in.');
    const rotated = await sessions.rotate(token, actorOf(req, res));
    if (!rotated) {
      clearRefreshCookie(req, res, config);
      throw new HttpProblem(
        'INVALID_TOKEN',
        'The sign-in has ended. What has arrived is safe; sign in again.',
      );
    }
    await answerSession(req, res, rotated.user, rotated.grant);
  });

  router.post('/logout', async (req, res) => {
    const token = readBody(RefreshRequestSchema, req).refreshToken ?? readRefreshCookie(req);
    if (token !== undefined) await sessions.end(token, actorOf(req, res));
    clearRefreshCookie(req, res, config);
    res.status(204).end();
  });

  return router;
}

/** `/api/v1/me`: the account that is signed in. */
export function meRoutes({ guards }: Pick<AuthDeps, 'guards'>): Router {
  const router = Router();
  router.get('/', guards.requireUser, (_req, res) => {
    res.json(presentUser(principalOf(res).user));
  });
  return router;
}
