import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '@relaypacs/core/config.js';
import { configOrExit } from '@relaypacs/core/config-or-exit.js';
import { runService } from '@relaypacs/core/lifecycle.js';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import { serveMetrics } from '@relaypacs/core/observability/metrics-server.js';
import { openPlatform } from '@relaypacs/core/platform.js';
import { createApp } from './app.js';
import { openKeyStore } from './auth/key-store.js';
import { createHttpServer } from './http/server.js';
import { Leases } from './tus/leases.js';
import type { OpenFile } from './tus/open-file.js';

const DRAIN_MS = 8000;
/** For requests that begin on open connections while the server stops. */
const STOP_EVERY_MS = 250;

const config = configOrExit(loadConfig);
const logger = createLogger('server', config.log.level);

await runService(logger, async () => {
  const keys = await openKeyStore(config);
  const platform = await openPlatform(config, logger);
  const leases = await Leases.open<OpenFile>(platform.db, config.database.url, logger);
  const app = createApp(platform, keys, leases);
  const server = createHttpServer(app.express, logger);
  // A phone on a bad link may need an hour for one request: only silence ends it, never its length.
  server.requestTimeout = 0;
  server.headersTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, resolve);
  });
  const metrics = await serveMetrics(platform, config.metrics.port);
  platform.outbox.flush();
  const { address, port } = server.address() as AddressInfo;
  return {
    address: `http://${address}:${port}`,
    async stop() {
      // Whoever sends people here is told first, and gets a moment to send them elsewhere.
      app.beginStop();
      await delay(config.shutdownDelayMs);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Transfers are answered with what has arrived; their clients go on at another server, or at the next start.
      const stopping = setInterval(() => {
        leases.stopRequests();
        server.closeIdleConnections();
      }, STOP_EVERY_MS);
      leases.stopRequests();
      const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      await closed;
      clearInterval(stopping);
      clearTimeout(cut);
      metrics?.close();
      await leases.close();
      await platform.close();
    },
  };
});
