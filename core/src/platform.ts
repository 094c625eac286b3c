import type { Config } from './config.js';
import { type Database, openDatabase } from './db/database.js';
import { createTransact, type Transact } from './db/unit-of-work.js';
import type { EventBus } from './events/event-bus.js';
import { PostgresEventBus } from './events/postgres-event-bus.js';
import { RedisEventBus } from './events/redis-event-bus.js';
import type { Logger } from './observability/logger.js';
import { Metrics } from './observability/metrics.js';
import { OutboxRelay } from './queue/outbox-relay.js';
import type { ObjectStorage } from './storage/object-storage.js';
import { openStorage } from './storage/open-storage.js';
import { createUploadedFiles, type UploadedFiles } from './storage/uploaded-files.js';

/** What server and worker both stand on, opened once by their `main.ts` and handed to whatever needs it. */
export interface Platform {
  config: Config;
  logger: Logger;
  metrics: Metrics;
  db: Database;
  transact: Transact;
  events: EventBus;
  outbox: OutboxRelay;
  storage: ObjectStorage;
  files: UploadedFiles;
  /** Closes everything, the database last. */
  close(): Promise<void>;
}

/**
 * Connects to everything the configuration names.
 *
 * @throws when the database or the storage cannot be used
 */
export async function openPlatform(config: Config, logger: Logger): Promise<Platform> {
  const db = openDatabase(config.database.url, config.database.poolMax);
  const storage = await openStorage(config.storage);
  const events =
    config.redisUrl === undefined
      ? await PostgresEventBus.open(db, config.database.url, logger)
      : new RedisEventBus(config.redisUrl, logger);
  const outbox = new OutboxRelay(db, config, logger);
  const transact = createTransact(db, {
    jobsWritten: () => outbox.flush(),
    publish: (published) => events.publish(published),
  });
  return {
    config,
    logger,
    metrics: new Metrics(),
    db,
    transact,
    events,
    outbox,
    storage,
    files: createUploadedFiles(db, storage),
    async close() {
      await outbox.close();
      await events.close();
      await db.destroy();
    },
  };
}
