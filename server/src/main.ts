import type { AddressInfo } from 'node:net';
import { loadConfig } from '@relaypacs/core/config.js';
import { configOrExit } from '@relaypacs/core/config-or-exit.js';
import { runService } from '@relaypacs/core/lifecycle.js';
import { createLogger } from '@relaypacs/core/observability/logger.js';
import { openPlatform } from '@relaypacs/core/platform.js';
import { createApp } from './app.js';
import { openKeyStore } from './auth/key-store.js';
import { createHttpServer } from './http/server.js';

const DRAIN_MS = 8000;

const config = configOrExit(loadConfig);
const logger = createLogger('server', config.log.level);

await runService(logger, async () => {
  const keys = await openKeyStore(config);
  const platform = await openPlatform(config, logger);
  const app = createApp(platform, keys);
  const server = createHttpServer(app.express, logger);
  // A phone on a bad link may need an hour for one request: only silence ends it, never its length.
  server.requestTimeout = 0;
  server.headersTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, resolve);
  });
  platform.outbox.flush();
  const { address, port } = server.address() as AddressInfo;
  return {
    address: `http://${address}:${port}`,
    async stop() {
      app.beginStop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      // Requests that still run get a moment; what they have sent so far is kept in any case.
      const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      await closed;
      clearTimeout(cut);
      await platform.close();
    },
  };
});
