import { ConfigError } from '@relaypacs/core/config.js';
import { Redis } from 'ioredis';
import pg from 'pg';

const ANSWER_WITHIN_MS = 5000;

/**
 * Makes sure that the database a user gave lets us in.
 *
 * @param url - `DATABASE_URL`
 * @throws ConfigError with a sentence that names the variable, never the password, within 5 s
 */
export async function checkDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: ANSWER_WITHIN_MS });
  client.on('error', () => {}); // A connection that breaks later is the services' to notice.
  try {
    await client.connect();
  } catch (error) {
    throw new ConfigError(
      `DATABASE_URL names PostgreSQL at ${client.host}:${client.port}, database "${client.database}", ` +
        `which cannot be used: ${reasonOf(error)}.`,
    );
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * Makes sure that the Redis or Valkey a user gave lets us in.
 *
 * @param url - `REDIS_URL`
 * @throws ConfigError with a sentence that names the variable, never the password, within 5 s
 */
export async function checkRedis(url: string): Promise<void> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: ANSWER_WITHIN_MS,
    commandTimeout: ANSWER_WITHIN_MS,
    retryStrategy: () => null,
  });
  // What happened to the connection comes by this event; the failed command only says that it is closed.
  let cause: unknown;
  redis.on('error', (error) => {
    cause ??= error;
  });
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    const { host, port } = redis.options;
    throw new ConfigError(
      `REDIS_URL names Redis at ${host}:${port}, which cannot be used: ${reasonOf(cause ?? error)}.`,
    );
  } finally {
    redis.disconnect();
  }
}

/** A host with several addresses fails with an AggregateError, which has a code but no message. */
function reasonOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return (message || code || String(error)).replace(/\.$/, '');
}
