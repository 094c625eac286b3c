import type { Platform } from '@relaypacs/core/platform.js';
import { Router } from 'express';
import type { Guards } from '../auth/authenticate.js';
import { readSystemStatus } from './system-status.js';

/** `/api/v1/admin`: for administrators alone. */
export function adminRoutes(platform: Platform, guards: Guards): Router {
  const router = Router();
  router.use(guards.requireAdmin);
  router.get('/system', async (_req, res) => {
    res.json(await readSystemStatus(platform));
  });
  return router;
}
