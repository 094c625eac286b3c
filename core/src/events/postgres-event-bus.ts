import pg from 'pg';
import type { RelayEvent } from '../contract/events.js';
import type { Database } from '../db/database.js';
import { backoffSeconds } from '../domain/backoff.js';
import type { Logger } from '../observability/logger.js';
import { EVENT_CHANNEL, type EventBus, type RelayEventListener } from './event-bus.js';
import { Listeners } from './listeners.js';

/** Events over LISTEN/NOTIFY: one connection of its own listens and is made anew when it breaks. */
export class PostgresEventBus implements EventBus {
  private readonly db: Database;
  private readonly url: string;
  private readonly logger: Logger;
  private readonly listeners: Listeners;
  private client: pg.Client | undefined;
  private retry: NodeJS.Timeout | undefined;
  private attempt = 0;
  private closed = false;

  private constructor(db: Database, url: string, logger: Logger) {
    this.db = db;
    this.url = url;
    this.logger = logger;
    this.listeners = new Listeners(logger);
  }

  /** Resolves when it listens. */
  static async open(db: Database, url: string, logger: Logger): Promise<PostgresEventBus> {
    const bus = new PostgresEventBus(db, url, logger);
    await bus.listen();
    return bus;
  }

  private async listen(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.url,
      keepAlive: true,
      application_name: 'relaypacs events',
    });
    client.on('notification', (notice) => {
      if (notice.payload !== undefined) this.listeners.receive(notice.payload);
    });
    client.on('error', (error) => this.logger.warn('The event connection broke', { error }));
    client.on('end', () => {
      if (this.client === client) this.reconnect();
    });
    try {
      await client.connect();
      await client.query(`LISTEN ${EVENT_CHANNEL}`);
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
          this.logger.warn('Events cannot be listened to yet', { error, attempt: this.attempt });
          this.reconnect();
        });
      },
      backoffSeconds(this.attempt, 0.2, 5) * 1000,
    );
  }

  publish(events: readonly RelayEvent[]): void {
    const payloads = events.map((event) => JSON.stringify(event));
    this.db
      .raw('SELECT pg_notify(?, payload) FROM unnest(?::text[]) AS payload', [EVENT_CHANNEL, payloads])
      .catch((error: unknown) =>
        this.logger.warn('Events were not published', { error, count: events.length }),
      );
  }

  subscribe(listener: RelayEventListener): () => void {
    return this.listeners.add(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retry);
    const client = this.client;
    this.client = undefined;
    await client?.end();
  }
}
