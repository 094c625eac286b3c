import { REQUEST_KINDS, type RequestKind } from './faults/fault.js';

/** Counts what was asked and what arrived, so that tests of many hours can tell how often something was sent twice. */
export class Statistics {
  #requests = zeroes();
  #arrivals = new Map<string, number>();
  #stored = 0;
  #needless = 0;

  /** A request has come, whatever becomes of it. */
  asked(kind: RequestKind): void {
    this.#requests[kind]++;
  }

  /** A readable instance has come whole. */
  arrived(sopInstanceUid: string): void {
    this.#arrivals.set(sopInstanceUid, (this.#arrivals.get(sopInstanceUid) ?? 0) + 1);
  }

  /** An instance that was not held is now. */
  stored(): void {
    this.#stored++;
  }

  /** An instance has come that was held, as whoever had asked would have known. */
  cameNeedlessly(): void {
    this.#needless++;
  }

  reset(): void {
    this.#requests = zeroes();
    this.#arrivals = new Map();
    this.#stored = 0;
    this.#needless = 0;
  }

  toJSON() {
    const counts = [...this.#arrivals.values()];
    const received = counts.reduce((sum, count) => sum + count, 0);
    return {
      requests: { ...this.#requests },
      instances: {
        /** Whole, readable instances with a SOP Instance UID, however often each came. */
        received,
        stored: this.#stored,
        /** How many of those received had come before. */
        repeated: received - counts.length,
        /** How many of those received were held already, and shown to searches. */
        needless: this.#needless,
        /** How often the one that came most often came. */
        mostOften: counts.reduce((most, count) => Math.max(most, count), 0),
      },
    };
  }
}

function zeroes(): Record<RequestKind, number> {
  return Object.fromEntries(REQUEST_KINDS.map((kind) => [kind, 0])) as Record<RequestKind, number>;
}
