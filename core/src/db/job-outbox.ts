import type { QueuedJob, QueueName } from '../contract/jobs.js';
import type { Queryable } from './database.js';

interface OutboxRow {
  id: number;
  queue: QueueName;
  jobId: string;
  payload: QueuedJob['payload'];
  priority: number;
  runAt: Date;
}

/** Writes jobs down in the transaction that makes them necessary. */
export async function insertOutboxJobs(db: Queryable, jobs: readonly QueuedJob[]): Promise<void> {
  if (jobs.length === 0) return;
  await db('jobOutbox').insert(jobs.map((job) => ({ ...job, payload: JSON.stringify(job.payload) })));
}

/**
 * Takes up to `limit` jobs that no other process is taking. They are gone when the transaction commits and stay
 * when it does not.
 */
export async function takeOutboxJobs(db: Queryable, limit: number): Promise<QueuedJob[]> {
  const rows = await db<OutboxRow>('jobOutbox').orderBy('id').limit(limit).forUpdate().skipLocked();
  if (rows.length > 0) {
    await db('jobOutbox')
      .whereIn(
        'id',
        rows.map((row) => row.id),
      )
      .delete();
  }
  return rows.map(({ queue, jobId, payload, priority, runAt }) => ({
    queue,
    jobId,
    payload,
    priority,
    runAt,
  }));
}
