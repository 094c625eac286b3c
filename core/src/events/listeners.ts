import { RelayEventSchema } from '../contract/events.js';
import type { Logger } from '../observability/logger.js';
import type { RelayEventListener } from './event-bus.js';

/** The subscribers within one process, and the reading of what comes over the wire. */
export class Listeners {
  private readonly listeners = new Set<RelayEventListener>();
  private readonly logger: Logger;

  constructor(logger: Logger) {
    this.logger = logger;
  }

  add(listener: RelayEventListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Hands a message from the wire to every listener; what is not an event of ours is logged and dropped. */
  receive(message: string): void {
    let content: unknown;
    try {
      content = JSON.parse(message);
    } catch {
      content = undefined;
    }
    const parsed = RelayEventSchema.safeParse(content);
    if (!parsed.success) {
      this.logger.warn('Dropped an event that is not one of ours');
      return;
    }
    for (const listener of this.listeners) {
      try {
        listener(parsed.data);
      } catch (error) {
        this.logger.error('An event listener failed', { error });
      }
    }
  }
}
