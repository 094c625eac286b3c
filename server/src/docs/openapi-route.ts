import { Router } from 'express';
import { openApiDocument } from './openapi.js';

/** `GET /openapi.json`. */
export function openApiRoutes(): Router {
  const router = Router();
  const document = openApiDocument();
  router.get('/openapi.json', (_req, res) => {
    res.json(document);
  });
  return router;
}
