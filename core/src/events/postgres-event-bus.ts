import type { RelayEvent } from '../contract/events.js';
import type { Database } from '../db/database.js';
import { PostgresListener } from '../db/postgres-listener.js';
import type { Logger } from '../observability/logger.js';
import { EVENT_CHANNEL, type EventBus, type RelayEventListener } from './event-bus.js';
import { Listeners } from './listeners.js';

const GATHER_MS = 20;

/** Events over LISTEN/NOTIFY. */
export class PostgresEventBus implements EventBus {
  private readonly db: Database;
  private readonly logger: Logger;
  private readonly listeners: Listeners;
  private readonly listener: PostgresListener;
  private readonly unsent = new Set<string>();
  private sending: NodeJS.Timeout | undefined;

  private constructor(db: Database, logger: Logger, listeners: Listeners, listener: PostgresListener) {
    this.db = db;
    this.logger = logger;
    this.listeners = listeners;
    this.listener = listener;
  }

  /** Resolves when it listens. */
  static async open(db: Database, url: string, logger: Logger): Promise<PostgresEventBus> {
    const listeners = new Listeners(logger);
    const listener = await PostgresListener.open({
      url,
      channel: EVENT_CHANNEL,
      name: 'relaypacs events',
      logger,
      receive: (payload) => listeners.receive(payload),
    });
    return new PostgresEventBus(db, logger, listeners, listener);
  }

  /** Equal events that come close together go out once: each NOTIFY makes the commits of others wait. */
  publish(events: readonly RelayEvent[]): void {
    for (const event of events) this.unsent.add(JSON.stringify(event));
    this.sending ??= setTimeout(() => this.send(), GATHER_MS);
  }

  private send(): void {
    this.sending = undefined;
    const payloads = [...this.unsent];
    this.unsent.clear();
    this.db
      .raw('SELECT pg_notify(?, payload) FROM unnest(?::text[]) AS payload', [EVENT_CHANNEL, payloads])
      .catch((error: unknown) =>
        this.logger.warn('Events were not published', { error, count: payloads.length }),
      );
  }

  subscribe(listener: RelayEventListener): () => void {
    return this.listeners.add(listener);
  }

  async close(): Promise<void> {
    clearTimeout(this.sending);
    if (this.unsent.size > 0) this.send();
    await this.listener.close();
  }
}
