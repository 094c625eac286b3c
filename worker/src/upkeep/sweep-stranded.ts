import { listStrandedUploads } from '@relaypacs/core/db/uploads.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { intakeJob } from '@relaypacs/core/queue/jobs.js';

/** How long after its time a job may still be on its way through the queue, in seconds. */
const PATIENCE_SECONDS = 10;
const BATCH = 500;

/**
 * Queues again whatever the database says is unchecked and nobody works on: the queue may have lost its job (a
 * flushed Redis, a killed worker). Adding a job that is still there does nothing, because its id is the same.
 *
 * @returns how many jobs were written
 */
export async function sweepStranded({ db, transact }: Pick<Platform, 'db' | 'transact'>): Promise<number> {
  const uploads = await listStrandedUploads(db, PATIENCE_SECONDS, BATCH);
  const now = new Date();
  const jobs = uploads.map((upload) => intakeJob({ ...upload, nextAttemptAt: now }));
  if (jobs.length > 0) {
    await transact(async (unit) => {
      for (const job of jobs) unit.enqueue(job);
    });
  }
  return jobs.length;
}
