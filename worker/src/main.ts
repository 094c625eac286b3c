import { loadConfig } from '@relaypacs/core/config.js';
import { configOrExit } from '@relaypacs/core/config-or-exit.js';
import { deleteExpiredRefreshTokens } from '@relaypacs/core/db/refresh-tokens.js';
import { runService } from '@relaypacs/core/lifecycle.js';
import { createLogger, withLogContext } from '@relaypacs/core/observability/logger.js';
import { serveMetrics } from '@relaypacs/core/observability/metrics-server.js';
import { openPlatform } from '@relaypacs/core/platform.js';
import { openConsumer } from '@relaypacs/core/queue/backend.js';
import { deliverStudy } from './delivery/deliver-study.js';
import { PacsAccesses } from './delivery/pacs-access.js';
import { takeInUpload } from './intake/take-in-upload.js';
import { IsolatedTasks } from './isolation/isolated-tasks.js';
import { expireUploads } from './upkeep/expire-uploads.js';
import { removeBytes } from './upkeep/remove-bytes.js';
import { removeOrphans } from './upkeep/remove-orphans.js';
import { startUpkeep } from './upkeep/schedule.js';
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
  const tasks = new IsolatedTasks();
  const deps = { ...platform, tasks, pacsAccesses: new PacsAccesses(), stopping: stopping.signal };

  const consumers = [
    openConsumer('intake', config, config.worker.intakeConcurrency, ({ uploadId }, jobId) =>
      withLogContext({ uploadId, jobId }, () => takeInUpload(deps, uploadId)),
    ),
    openConsumer('delivery', config, config.worker.deliveryConcurrency, ({ studyId }, jobId) =>
      withLogContext({ studyId, jobId }, () => deliverStudy(deps, studyId)),
    ),
  ];
  for (const consumer of consumers) {
    consumer.onError((error) => logger.warn('The queue connection reported an error', { error }));
  }
  platform.outbox.startPolling();
  const stopUpkeep = startUpkeep(
    [
      { name: 'sweep', everyMs: 5 * SECOND, run: () => sweepStranded(platform) },
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
      await Promise.all(consumers.map((consumer) => consumer.close()));
      await tasks.close();
      metrics?.close();
      await platform.close();
    },
  };
});
