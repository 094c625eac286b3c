import {
  createPostgresBackend,
  type Job,
  type JobsOptions,
  Queue,
  type QueueOptions,
  Worker,
  type WorkerOptions,
  withBackend,
} from 'bullmq';
import type { Config } from '../config.js';
import type { JobPayloads, QueuedJob, QueueName } from '../contract/jobs.js';

/** The schema that holds BullMQ's tables beside ours. */
export const QUEUE_SCHEMA = 'bullmq';

export type QueueConnection = Pick<Config, 'redisUrl' | 'database'>;

/** What the rest needs of a queue that jobs are put into. */
export interface JobQueue {
  add(job: QueuedJob): Promise<void>;
  /** Jobs not finished yet. */
  depth(): Promise<number>;
  close(): Promise<void>;
  onError(listener: (error: Error) => void): void;
}

/** What the rest needs of a running consumer. */
export interface JobConsumer {
  /** Lets running jobs finish. */
  close(): Promise<void>;
  onError(listener: (error: Error) => void): void;
}

export type JobHandler<Q extends QueueName> = (payload: JobPayloads[Q], jobId: string) => Promise<void>;

// A job that is lost with its worker is found by the queue (stalled) or by the sweep; the rows say what remains.
const JOB_OPTIONS = {
  removeOnComplete: true,
  removeOnFail: true,
  attempts: 1,
} as const satisfies JobsOptions;

/** The part of BullMQ's Queue that both backends share and we use. */
interface BullQueue {
  add(name: string, data: unknown, options: JobsOptions): Promise<unknown>;
  getJobCountByTypes(...types: Array<'waiting' | 'prioritized' | 'delayed' | 'active'>): Promise<number>;
  close(): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

function wrapQueue(queue: BullQueue): JobQueue {
  return {
    async add({ queue: name, jobId, payload, priority, runAt }) {
      const delay = Math.max(0, runAt.getTime() - Date.now());
      await queue.add(name, payload, { ...JOB_OPTIONS, jobId, priority, delay });
    },
    depth: () => queue.getJobCountByTypes('waiting', 'prioritized', 'delayed', 'active'),
    close: () => queue.close(),
    onError: (listener) => queue.on('error', listener),
  };
}

/** Opens a queue for adding jobs: on Redis or Valkey where `REDIS_URL` is set, else on PostgreSQL. */
export function openQueue(name: QueueName, connection: QueueConnection): JobQueue {
  if (connection.redisUrl !== undefined) {
    const options: QueueOptions = {
      // Producers fail fast: a job that is not taken within the time stays in the outbox.
      connection: {
        url: connection.redisUrl,
        maxRetriesPerRequest: 1,
        commandTimeout: 3000,
      },
      skipWaitingForReady: true,
    };
    return wrapQueue(new Queue(name, options));
  }
  const Postgres = withBackend(createPostgresBackend);
  return wrapQueue(
    new Postgres.Queue(name, {
      connection: { connectionString: connection.database.url, max: 2, schema: QUEUE_SCHEMA },
    }),
  );
}

/**
 * Runs a handler for the jobs of a queue.
 *
 * @param concurrency - jobs at once in this process
 */
export function openConsumer<Q extends QueueName>(
  name: Q,
  connection: QueueConnection,
  concurrency: number,
  handler: JobHandler<Q>,
): JobConsumer {
  const processor = (job: Job) => handler(job.data as JobPayloads[Q], job.id ?? '');
  const common = { concurrency, lockDuration: 30_000, stalledInterval: 15_000, maxStalledCount: 5 };
  if (connection.redisUrl !== undefined) {
    const options: WorkerOptions = {
      ...common,
      connection: { url: connection.redisUrl, maxRetriesPerRequest: null },
    };
    return wrapConsumer(new Worker(name, processor, options));
  }
  const Postgres = withBackend(createPostgresBackend);
  return wrapConsumer(
    new Postgres.Worker(name, processor, {
      ...common,
      connection: { connectionString: connection.database.url, max: 2, schema: QUEUE_SCHEMA },
    }),
  );
}

function wrapConsumer(worker: {
  close(): Promise<void>;
  on(event: 'error', l: (e: Error) => void): unknown;
}): JobConsumer {
  return { close: () => worker.close(), onError: (listener) => worker.on('error', listener) };
}
