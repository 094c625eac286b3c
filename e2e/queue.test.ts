import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { QueuedJob } from '@relaypacs/core/contract/jobs.js';
import {
  type JobConsumer,
  openConsumer,
  openQueue,
  type QueueConnection,
} from '@relaypacs/core/queue/backend.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EmbeddedPostgres } from '../scripts/embedded-postgres.js';
import { startDatabase } from './support/database-template.js';
import { type Redis, startRedis } from './support/redis.js';

let dataDir: string;
let postgres: EmbeddedPostgres;
let redis: Redis;

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'relaypacs-queue-'));
  [postgres, redis] = await Promise.all([startDatabase(dataDir), startRedis()]);
});
afterAll(async () => {
  await postgres?.stop();
  await redis?.dispose();
  await rm(dataDir, { recursive: true, force: true });
});

let made = 0;
const job = (more: Partial<QueuedJob<'delivery'>> = {}): QueuedJob<'delivery'> => {
  made += 1;
  const jobId = more.jobId ?? `delivery-${made}`;
  return { queue: 'delivery', jobId, payload: { studyId: jobId }, priority: 3, runAt: new Date(), ...more };
};

describe.each(['postgresql', 'redis'] as const)('the queue on %s', (kind) => {
  const open: Array<{ close(): Promise<void> }> = [];
  const connection = (): QueueConnection => ({
    database: { url: postgres.url, poolMax: 4 },
    redisUrl: kind === 'redis' ? redis.url : undefined,
  });
  const queue = () => {
    const opened = openQueue('delivery', connection());
    open.push(opened);
    return opened;
  };
  /** Consumes and remembers in which order. */
  const consume = (
    seen: string[],
    concurrency = 1,
    work: () => Promise<void> = async () => {},
  ): JobConsumer => {
    const consumer = openConsumer('delivery', connection(), concurrency, async ({ studyId }) => {
      seen.push(studyId);
      await work();
    });
    open.push(consumer);
    return consumer;
  };
  afterEach(async () => {
    for (const each of open.splice(0)) await each.close();
  });

  it('hands every job to one of two consumers, once', async () => {
    const seen: string[] = [];
    consume(seen, 4);
    consume(seen, 4);
    const producer = queue();
    const jobs = Array.from({ length: 60 }, () => job());
    await Promise.all(jobs.map((each) => producer.add(each)));
    await expect.poll(() => seen.length, { timeout: 15_000 }).toBe(60);
    expect(new Set(seen).size).toBe(60);
    await expect.poll(() => producer.depth(), { timeout: 15_000 }).toBe(0);
  });

  it('takes a job with the same id once while it is there, and again when it is done', async () => {
    const producer = queue();
    const same = job();
    for (let i = 0; i < 3; i += 1) await producer.add(same);
    expect(await producer.depth()).toBe(1);
    const seen: string[] = [];
    consume(seen);
    await expect.poll(() => seen.length, { timeout: 15_000 }).toBe(1);
    await expect.poll(() => producer.depth(), { timeout: 15_000 }).toBe(0);
    await producer.add(same);
    await expect.poll(() => seen, { timeout: 15_000 }).toEqual([same.jobId, same.jobId]);
  });

  it('serves STAT before emergency before routine', async () => {
    const producer = queue();
    const jobs = [
      job({ priority: 3 }),
      job({ priority: 2 }),
      job({ priority: 1 }),
      job({ priority: 3 }),
      job({ priority: 1 }),
    ];
    for (const each of jobs) await producer.add(each);
    const seen: string[] = [];
    consume(seen);
    await expect.poll(() => seen.length, { timeout: 15_000 }).toBe(5);
    const order = [2, 4, 1, 0, 3].map((index) => jobs[index]!.jobId);
    expect(seen).toEqual(order);
  });

  it('keeps a job back until its time', async () => {
    const producer = queue();
    const seen: string[] = [];
    consume(seen);
    const due = Date.now() + 1500;
    await producer.add(job({ runAt: new Date(due) }));
    await expect.poll(() => seen.length, { timeout: 15_000 }).toBe(1);
    expect(Date.now()).toBeGreaterThanOrEqual(due - 50);
  });

  it('goes on with the next job when one fails', async () => {
    const producer = queue();
    const seen: string[] = [];
    let failures = 1;
    consume(seen, 1, async () => {
      failures -= 1;
      if (failures === 0) throw new Error('this one fails');
    });
    await producer.add(job());
    await producer.add(job());
    await expect.poll(() => seen.length, { timeout: 15_000 }).toBe(2);
    await expect.poll(() => producer.depth(), { timeout: 15_000 }).toBe(0);
  });
});
