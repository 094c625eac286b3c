import { type ApiTokenList, CreateApiTokenRequestSchema } from '@relaypacs/core/contract/api-tokens.js';
import { listLiveApiTokens } from '@relaypacs/core/db/api-tokens.js';
import { isId } from '@relaypacs/core/db/ids.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { type Request, type Response, Router } from 'express';
import { notFound } from '../http/http-problem.js';
import { actorOf } from '../http/request-context.js';
import { readBody } from '../http/validate.js';
import { endApiToken, issueApiToken, presentApiToken } from './api-tokens.js';
import { type Guards, principalOf } from './authenticate.js';

/** `/api/v1/me/tokens`: the API tokens of the account that is signed in. */
export function apiTokenRoutes({ db, transact }: Pick<Platform, 'db' | 'transact'>, guards: Guards): Router {
  const router = Router();
  // A token that could make tokens would outlive its own end.
  router.use(guards.requireUser);
  const owner = (req: Request, res: Response) => ({
    ...actorOf(req, res),
    userId: principalOf(res).userId,
  });

  router.get('/', async (_req, res) => {
    const rows = await listLiveApiTokens(db, principalOf(res).userId);
    const answer: ApiTokenList = { items: rows.map(presentApiToken), nextCursor: null };
    res.json(answer);
  });

  router.post('/', async (req, res) => {
    const request = readBody(CreateApiTokenRequestSchema, req);
    res.status(201).json(await issueApiToken(transact, request, owner(req, res)));
  });

  router.delete('/:id', async (req, res) => {
    const id = String(req.params.id);
    if (!isId(id)) throw notFound('API token');
    await endApiToken(transact, id, owner(req, res));
    res.status(204).end();
  });

  return router;
}
