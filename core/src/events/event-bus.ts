import type { RelayEvent } from '../contract/events.js';

export type RelayEventListener = (event: RelayEvent) => void;

/**
 * Carries hints from whoever changes something to every server, and through SSE to the browsers. An event may get
 * lost (a restart, a broken connection): listeners look into the database, events only say when.
 */
export interface EventBus {
  /** Never throws and never waits for listeners; a failure is logged. */
  publish(events: readonly RelayEvent[]): void;
  /** @returns a function that ends the subscription */
  subscribe(listener: RelayEventListener): () => void;
  close(): Promise<void>;
}

/** Name of the NOTIFY channel and of the Redis channel. */
export const EVENT_CHANNEL = 'relaypacs_events';
