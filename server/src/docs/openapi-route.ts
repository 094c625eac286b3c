import type { Config } from '@relaypacs/core/config.js';
import { Router } from 'express';
import { openApiDocument } from './openapi.js';

/** `GET /openapi.json`. */
export function openApiRoutes(config: Pick<Config, 'publicUrl'>): Router {
  const router = Router();
  const document = openApiDocument(config.publicUrl);
  router.get('/openapi.json', (_req, res) => {
    res.json(document);
  });
  return router;
}
