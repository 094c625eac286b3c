import { listUnseenUploads } from '@relaypacs/core/db/early-files.js';
import { mayGoEarly } from '@relaypacs/core/domain/early-delivery.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { earlyIntakeJob } from '@relaypacs/core/queue/jobs.js';

/** How long after a file has arrived its job may still be on its way through the queue, in seconds. */
const PATIENCE_SECONDS = 10;
const BATCH = 500;

/**
 * Queues again what has arrived of STAT uploads and was not looked at, although it may go early: its job was lost.
 *
 * @returns how many jobs were written
 */
export async function sweepEarly({
  db,
  transact,
  config,
}: Pick<Platform, 'db' | 'transact' | 'config'>): Promise<number> {
  const uploads = await listUnseenUploads(db, PATIENCE_SECONDS, BATCH);
  const due = uploads.filter((upload) => mayGoEarly(upload, config));
  if (due.length === 0) return 0;
  await transact(async (unit) => {
    for (const upload of due) unit.enqueue(earlyIntakeJob(upload, upload.received));
  });
  return due.length;
}
