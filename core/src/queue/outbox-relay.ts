import { QUEUE_NAMES, type QueueName } from '../contract/jobs.js';
import type { Database } from '../db/database.js';
import { takeOutboxJobs } from '../db/job-outbox.js';
import type { Logger } from '../observability/logger.js';
import { type JobQueue, openQueue, type QueueConnection } from './backend.js';

const BATCH = 100;
const POLL_MS = 1000;

/**
 * Carries jobs from the outbox into the queue: at once after a commit, and by a poll for what another process
 * wrote and could not carry. A job leaves the outbox only when the queue has it.
 */
export class OutboxRelay {
  private readonly db: Database;
  private readonly logger: Logger;
  private readonly queues: ReadonlyMap<QueueName, JobQueue>;
  private running: Promise<void> | undefined;
  private again = false;
  private poll: NodeJS.Timeout | undefined;
  private failing = false;

  constructor(db: Database, connection: QueueConnection, logger: Logger) {
    this.db = db;
    this.logger = logger;
    this.queues = new Map(QUEUE_NAMES.map((name) => [name, openQueue(name, connection)]));
    for (const queue of this.queues.values()) {
      queue.onError((error) => logger.warn('The queue connection reported an error', { error }));
    }
  }

  /** Looks into the outbox every second until closed. */
  startPolling(): void {
    this.poll = setInterval(() => this.flush(), POLL_MS);
  }

  /** Carries what is there now; returns at once. Calls that come while one runs are joined into one more. */
  flush(): void {
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = this.carryAll().finally(() => {
      this.running = undefined;
      if (this.again) {
        this.again = false;
        this.flush();
      }
    });
  }

  private async carryAll(): Promise<void> {
    try {
      while ((await this.carryBatch()) === BATCH);
      if (this.failing) this.logger.info('The queue takes jobs again');
      this.failing = false;
    } catch (error) {
      // Said once per outage: the poll would repeat it every second. The jobs stay in the outbox.
      if (!this.failing) this.logger.warn('Jobs wait in the outbox: the queue does not take them', { error });
      this.failing = true;
    }
  }

  private async carryBatch(): Promise<number> {
    return this.db.transaction(async (trx) => {
      const jobs = await takeOutboxJobs(trx, BATCH);
      for (const job of jobs) await this.queues.get(job.queue)?.add(job);
      return jobs.length;
    });
  }

  /** Unfinished jobs per queue. */
  async depths(): Promise<Record<string, number>> {
    const entries = [...this.queues].map(async ([name, queue]) => [name, await queue.depth()] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  async close(): Promise<void> {
    clearInterval(this.poll);
    await this.running;
    await Promise.all([...this.queues.values()].map((queue) => queue.close()));
  }
}
