import { bearsToken } from '@relaypacs/core/observability/metrics-access.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { Router } from 'express';
import { HttpProblem } from '../http/http-problem.js';

/** `GET /metrics` on the main port, for bearers of METRICS_TOKEN; without that variable there is no such path. */
export function metricsRoutes({ metrics, config }: Pick<Platform, 'metrics' | 'config'>): Router {
  const router = Router();
  const { token } = config.metrics;
  if (token === undefined) return router;
  router.get('/metrics', async (req, res) => {
    const authorization = req.get('authorization');
    if (!bearsToken(authorization, token)) {
      throw new HttpProblem(
        authorization === undefined ? 'UNAUTHENTICATED' : 'INVALID_TOKEN',
        'The metrics are for who sends the METRICS_TOKEN as bearer token.',
      );
    }
    res.setHeader('Cache-Control', 'no-store');
    res.setHeader('Content-Type', metrics.contentType);
    res.end(await metrics.text());
  });
  return router;
}
