import path from 'node:path';
import type { Platform } from '@relaypacs/core/platform.js';
import express, { type Express } from 'express';
import { adminRoutes } from './admin/routes.js';
import { apiTokenRoutes } from './auth/api-token-routes.js';
import { createGuards, principalOf } from './auth/authenticate.js';
import type { KeyStore } from './auth/key-store.js';
import { authRoutes, meRoutes } from './auth/routes.js';
import { TokenSigner } from './auth/tokens.js';
import { openApiRoutes } from './docs/openapi-route.js';
import { healthRoutes } from './health/routes.js';
import { corsFor } from './http/cors.js';
import { problemHandler, unknownRoute } from './http/problem-responses.js';
import { createRateLimits } from './http/rate-limits.js';
import { requestContext } from './http/request-context.js';
import { requestMetrics } from './http/request-metrics.js';
import { requireHost } from './http/server.js';
import { metricsRoutes } from './metrics/routes.js';
import { eventRoutes } from './notifications/events-route.js';
import { receiptRoutes } from './receipts/routes.js';
import { createTusEndpoint } from './tus/endpoint.js';
import { TUS_PATH } from './tus/engine.js';
import type { Leases } from './tus/leases.js';
import type { OpenFile } from './tus/open-file.js';
import { listChoices } from './uploads/choose-target.js';
import { uploadRoutes } from './uploads/routes.js';
import { createRemoveBytes } from './uploads/unneeded-bytes.js';
import { seesEverything } from './uploads/upload-access.js';
import { securityHeaders } from './web/security-headers.js';
import { webApp } from './web/web-app.js';

const BODY_LIMIT = '64kb';
const COMPLETE_BODY_LIMIT = '16mb';

export interface App {
  express: Express;
  /** Readiness goes false and event streams end; requests that run may finish. */
  beginStop(): void;
}

/** Wires the whole front door. */
export function createApp(platform: Platform, keys: KeyStore, leases: Leases<OpenFile>): App {
  const { config, logger } = platform;
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', config.trustProxy);
  app.set('query parser', 'simple');

  const signer = new TokenSigner(keys);
  const guards = createGuards(platform, keys);
  const rateLimits = createRateLimits(config.rateLimits);
  const removeBytes = createRemoveBytes(platform);
  const { dedupeSecret } = keys;
  const tus = createTusEndpoint({ platform, guards, leases, dedupeSecret, removeBytes });
  const events = eventRoutes(platform, guards);
  let stopping = false;

  app.use(requestContext(logger), requestMetrics(platform.metrics), requireHost);
  app.use(securityHeaders(config), corsFor(config.cors));
  app.use(healthRoutes(platform, () => stopping));
  app.use(metricsRoutes(platform));
  app.use(TUS_PATH, tus);

  app.use('/api/v1', (_req, res, next) => {
    // Answers are about patients: nothing between us and the person may keep them.
    res.setHeader('Cache-Control', 'no-store');
    next();
  });
  // The digests of 100,000 files are a large body: read for those who are signed in, and nowhere else.
  app.post(
    '/api/v1/uploads/:id/complete',
    guards.requireUserOrUpload,
    express.json({ limit: COMPLETE_BODY_LIMIT }),
  );
  app.use('/api/v1', express.json({ limit: BODY_LIMIT }));
  app.use('/api/v1/auth', authRoutes({ platform, signer, guards, rateLimits }));
  app.use('/api/v1/me/tokens', apiTokenRoutes(platform, guards));
  app.use('/api/v1/me', meRoutes({ guards }));
  app.use('/api/v1/uploads', uploadRoutes({ platform, keys, signer, guards, rateLimits, removeBytes }));
  app.use('/api/v1/uploads', receiptRoutes({ platform, keys, guards }));
  app.get('/api/v1/targets', guards.requireUploader, (_req, res) => {
    res.json(listChoices(config.pacs, seesEverything(principalOf(res))));
  });
  app.use('/api/v1/admin', adminRoutes(platform, guards));
  app.use('/api/v1/events', events.routes);
  app.get('/.well-known/jwks.json', (_req, res) => {
    res.json({ keys: [keys.publicJwk] });
  });
  app.use(openApiRoutes());
  app.use(webApp(path.resolve(import.meta.dirname, '../../client/dist/app')));
  app.use(unknownRoute, problemHandler(logger));

  return {
    express: app,
    beginStop() {
      stopping = true;
      events.close();
    },
  };
}
