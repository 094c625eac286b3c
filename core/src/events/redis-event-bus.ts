import { Redis } from 'ioredis';
import type { RelayEvent } from '../contract/events.js';
import type { Logger } from '../observability/logger.js';
import { EVENT_CHANNEL, type EventBus, type RelayEventListener } from './event-bus.js';
import { Listeners } from './listeners.js';

/** Events over Redis or Valkey pub/sub; both connections are made anew by ioredis when they break. */
export class RedisEventBus implements EventBus {
  private readonly publisher: Redis;
  private readonly subscriber: Redis;
  private readonly logger: Logger;
  private readonly listeners: Listeners;

  constructor(url: string, logger: Logger) {
    this.logger = logger;
    this.listeners = new Listeners(logger);
    // A publish while Redis is away fails at once: it is only a hint and nobody may wait for it.
    this.publisher = new Redis(url, {
      maxRetriesPerRequest: 1,
      commandTimeout: 2000,
      enableOfflineQueue: false,
    });
    this.subscriber = new Redis(url, { maxRetriesPerRequest: null });
    for (const client of [this.publisher, this.subscriber]) {
      client.on('error', (error) => logger.warn('The event connection to Redis broke', { error }));
    }
    this.subscriber.on('message', (_channel, message) => this.listeners.receive(message));
    // ioredis subscribes again by itself after a reconnect.
    this.subscriber
      .subscribe(EVENT_CHANNEL)
      .catch((error: unknown) => logger.warn('Not subscribed', { error }));
  }

  publish(events: readonly RelayEvent[]): void {
    for (const event of events) {
      this.publisher
        .publish(EVENT_CHANNEL, JSON.stringify(event))
        .catch((error: unknown) => this.logger.warn('An event was not published', { error }));
    }
  }

  subscribe(listener: RelayEventListener): () => void {
    return this.listeners.add(listener);
  }

  async close(): Promise<void> {
    this.publisher.disconnect();
    this.subscriber.disconnect();
  }
}
