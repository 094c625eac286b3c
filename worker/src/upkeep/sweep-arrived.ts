import { listUnseenUploads } from '@relaypacs/core/db/arrived-files.js';
import { mayGoEarly } from '@relaypacs/core/domain/early-delivery.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { arrivedFilesJob } from '@relaypacs/core/queue/jobs.js';

/** How long after a file has arrived its job may still be on its way through the queue, in seconds. */
const PATIENCE_SECONDS = 10;
const BATCH = 500;

/**
 * Queues again what has arrived of uploads that still do, and was not looked at: its job was lost.
 *
 * @returns how many jobs were written
 */
export async function sweepArrived({
  db,
  transact,
  config,
}: Pick<Platform, 'db' | 'transact' | 'config'>): Promise<number> {
  const uploads = await listUnseenUploads(db, PATIENCE_SECONDS, BATCH);
  if (uploads.length === 0) return 0;
  await transact(async (unit) => {
    for (const upload of uploads) {
      const urgency = mayGoEarly(upload, config) ? 'early' : 'ahead';
      // The same id each time: while one waits for its turn, no other is added.
      unit.enqueue(arrivedFilesJob(upload, 'sweep', urgency));
    }
  });
  return uploads.length;
}
