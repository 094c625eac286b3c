import { setMaxListeners } from 'node:events';
import { loadConfig } from '@relaypacs/core/config.js';
import { configOrExit } from '@relaypacs/core/config-or-exit.js';
import { deleteExpiredRefreshTokens } from '@relaypacs/core/db/refresh-tokens.js';
import { runService } from '@relaypacs/core/lifecycle.js';
import { createLogger, withLogContext } from '@relaypacs/core/observability/logger.js';
import { serveMetrics } from '@relaypacs/core/observability/metrics-server.js';
import { openPlatform } from '@relaypacs/core/platform.js';
import { openConsumer } from '@relaypacs/core/queue/backend.js';
import { Circuits } from './delivery/circuits.js';
import { createDeliveryMetrics } from './delivery/delivery-metrics.js';
import { DeliveryDispatcher } from './delivery/dispatcher.js';
import { PacsAccesses } from './delivery/pacs-access.js';
import { examineArrived } from './intake/examine-arrived.js';
import { takeInUpload } from './intake/take-in-upload.js';
import { IsolatedTasks } from './isolation/isolated-tasks.js';
import { expireUploads } from './upkeep/expire-uploads.js';
import { removeBytes } from './upkeep/remove-bytes.js';
import { removeOrphans } from './upkeep/remove-orphans.js';
import { startUpkeep } from './upkeep/schedule.js';
import { sweepArrived } from './upkeep/sweep-arrived.js';
import { sweepStranded } from './upkeep/sweep-stranded.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

const config = configOrExit(loadConfig);
const logger = createLogger('worker', config.log.level);

await runService(logger, async () => {
  const platform = await openPlatform(config, logger);
  if (config.pacs.all.length === 0) logger.warn('PACS_URL is not set: uploads are kept and wait until it is');
  const metrics = await serveMetrics(platform, config.metrics.workerPort);
  const stopping = new AbortController();
  // Every delivery under way listens.
  setMaxListeners(0, stopping.signal);
  const tasks = new IsolatedTasks();
  const pacsAccesses = new PacsAccesses();
  const deliveryMetrics = createDeliveryMetrics(platform.metrics);
  const circuits = new Circuits({ ...platform, pacsAccesses, metrics: deliveryMetrics });
  const deps = { ...platform, tasks, stopping: stopping.signal };
  const deliveries = new DeliveryDispatcher(
    { ...deps, pacsAccesses, circuits, metrics: deliveryMetrics },
    config.worker.deliveryConcurrency,
  );

  const consumers = [
    openConsumer('intake', config, config.worker.intakeConcurrency, ({ uploadId, early }, jobId) =>
      withLogContext({ uploadId, jobId }, async () => {
        await (early ? examineArrived(deps, uploadId) : takeInUpload(deps, uploadId));
        // Where this worker is free, the study does not wait for its job to come round.
        deliveries.wake();
      }),
    ),
    // One at a time: what is here as a whole comes first.
    openConsumer('arrivals', config, 1, ({ uploadId }, jobId) =>
      withLogContext({ uploadId, jobId }, () => examineArrived(deps, uploadId)),
    ),
    openConsumer('delivery', config, 1, async () => deliveries.wake()),
  ];
  for (const consumer of consumers) {
    consumer.onError((error) => logger.warn('The queue connection reported an error', { error }));
  }
  platform.outbox.startPolling();
  const stopUpkeep = startUpkeep(
    [
      { name: 'PACS', everyMs: SECOND, run: () => circuits.tend().then(() => 0) },
      { name: 'sweep', everyMs: 5 * SECOND, run: () => sweepStranded(platform) },
      { name: 'sweep arrived', everyMs: 5 * SECOND, run: () => sweepArrived(platform) },
      { name: 'expire', everyMs: 30 * SECOND, run: () => expireUploads(platform) },
      { name: 'remove bytes', everyMs: MINUTE, run: () => removeBytes(platform) },
      { name: 'remove orphans', everyMs: 60 * MINUTE, run: () => removeOrphans(platform) },
      {
        name: 'refresh tokens',
        everyMs: 60 * MINUTE,
        run: () => deleteExpiredRefreshTokens(platform.db, new Date()),
      },
    ],
    logger,
  );

  return {
    async stop() {
      stopping.abort(new Error('The worker is stopping'));
      await stopUpkeep();
      await Promise.all([deliveries.close(), ...consumers.map((consumer) => consumer.close())]);
      await tasks.close();
      metrics?.close();
      await platform.close();
    },
  };
});
