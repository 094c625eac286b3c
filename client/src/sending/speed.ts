const WINDOW_MS = 10_000;
const FIRST_ESTIMATE_MS = 2_000;

/** Bytes per second over the last ten seconds. */
export class SpeedMeter {
  readonly #points: Array<{ at: number; bytes: number }> = [];

  /** @param bytes - bytes moved so far, at `at` milliseconds; may fall when an attempt is repeated. */
  record(at: number, bytes: number): void {
    const last = this.#points.at(-1);
    if (last && at - last.at < 250) last.bytes = bytes;
    else this.#points.push({ at, bytes });
    while ((this.#points[0]?.at ?? at) < at - WINDOW_MS) this.#points.shift();
  }

  /** Undefined until there is enough to go by. */
  bytesPerSecond(): number | undefined {
    const first = this.#points[0];
    const last = this.#points.at(-1);
    if (!first || !last || last.at - first.at < FIRST_ESTIMATE_MS) return undefined;
    return Math.max(0, ((last.bytes - first.bytes) * 1000) / (last.at - first.at));
  }

  /** Forgets what was: after a pause the past says nothing. */
  reset(): void {
    this.#points.length = 0;
  }
}
