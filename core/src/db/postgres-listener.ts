import pg from 'pg';
import { backoffSeconds } from '../domain/backoff.js';
import type { Logger } from '../observability/logger.js';

export interface PostgresListenerOptions {
  url: string;
  /** NOTIFY channel. */
  channel: string;
  /** Name of the connection as PostgreSQL shows it. */
  name: string;
  logger: Logger;
  /** Called with every payload; must not throw. */
  receive: (payload: string) => void;
  /** Runs on every new connection before it listens. */
  prepare?: (client: pg.Client) => Promise<unknown>;
}

/** A connection of its own that listens on a channel, and is made anew when it breaks. */
export class PostgresListener {
  private readonly options: PostgresListenerOptions;
  private client: pg.Client | undefined;
  private retry: NodeJS.Timeout | undefined;
  private attempt = 0;
  private closed = false;

  private constructor(options: PostgresListenerOptions) {
    this.options = options;
  }

  /** Resolves when it listens. */
  static async open(options: PostgresListenerOptions): Promise<PostgresListener> {
    const listener = new PostgresListener(options);
    await listener.listen();
    return listener;
  }

  private async listen(): Promise<void> {
    const { url, channel, name, logger, receive, prepare } = this.options;
    const client = new pg.Client({ connectionString: url, keepAlive: true, application_name: name });
    client.on('notification', ({ payload }) => {
      if (payload !== undefined) receive(payload);
    });
    client.on('error', (error) => logger.warn('A listening connection broke', { error, channel }));
    client.on('end', () => {
      if (this.client === client) this.reconnect();
    });
    try {
      await client.connect();
      await prepare?.(client);
      await client.query(`LISTEN ${channel}`);
    } catch (error) {
      // A connection that cannot listen is of no use and must not stay open beside the next one.
      await client.end().catch(() => {});
      throw error;
    }
    if (this.closed) return client.end();
    this.client = client;
    this.attempt = 0;
  }

  private reconnect(): void {
    this.client = undefined;
    if (this.closed) return;
    this.attempt += 1;
    this.retry = setTimeout(
      () => {
        this.listen().catch((error: unknown) => {
          const { logger, channel } = this.options;
          logger.warn('Notifications cannot be listened to yet', { error, channel, attempt: this.attempt });
          this.reconnect();
        });
      },
      backoffSeconds(this.attempt, 0.2, 5) * 1000,
    );
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retry);
    const client = this.client;
    this.client = undefined;
    await client?.end();
  }
}
