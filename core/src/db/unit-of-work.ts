import type { Knex } from 'knex';
import type { RelayEvent } from '../contract/events.js';
import type { QueuedJob } from '../contract/jobs.js';
import { type AuditEntry, appendAuditEvents } from './audit-events.js';
import type { Database } from './database.js';
import { insertOutboxJobs } from './job-outbox.js';

/** One transaction and everything that has to stand or fall with it. */
export interface UnitOfWork {
  readonly trx: Knex.Transaction;
  /** Written to the audit trail in the same transaction. */
  audit(entry: AuditEntry): void;
  /** Written to the outbox in the same transaction, handed to the queue after it. */
  enqueue(job: QueuedJob): void;
  /** Told to the servers after the commit; a hint that may get lost, never the record. */
  emit(event: RelayEvent): void;
}

/** What happens once a unit of work is committed. Neither may throw. */
export interface AfterCommit {
  jobsWritten(): void;
  publish(events: readonly RelayEvent[]): void;
}

/** Runs a unit of work; rolls everything back when it throws. */
export type Transact = <T>(work: (unit: UnitOfWork) => Promise<T>) => Promise<T>;

/** Binds {@link Transact} to a database and to what follows a commit. */
export function createTransact(db: Database, afterCommit: AfterCommit): Transact {
  return async (work) => {
    const audits: AuditEntry[] = [];
    const jobs: QueuedJob[] = [];
    const events: RelayEvent[] = [];
    const result = await db.transaction(async (trx) => {
      const answer = await work({
        trx,
        audit: (entry) => audits.push(entry),
        enqueue: (job) => jobs.push(job),
        emit: (event) => events.push(event),
      });
      await insertOutboxJobs(trx, jobs);
      await appendAuditEvents(trx, audits);
      return answer;
    });
    if (jobs.length > 0) afterCommit.jobsWritten();
    if (events.length > 0) afterCommit.publish(events);
    return result;
  };
}
