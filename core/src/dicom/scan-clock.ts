import { ScanRejection } from './findings.js';
import type { MeteredSource } from './source.js';

/** The time limit of one scan: the scanner's own time, without the time its source took. */
export class ScanClock {
  readonly #startedAt = performance.now();
  readonly #deadlineMs: number;
  readonly #source: MeteredSource;

  constructor(deadlineMs: number, source: MeteredSource) {
    this.#deadlineMs = deadlineMs;
    this.#source = source;
  }

  /** @throws ScanRejection `SCAN_TIMEOUT` once the limit has passed. */
  check(): void {
    const own = performance.now() - this.#startedAt - this.#source.waitedMs;
    if (own > this.#deadlineMs) throw new ScanRejection('SCAN_TIMEOUT');
  }
}
