/**
 * What is known of a PACS: `closed`, it takes studies; `open`, it does not and is asked nothing but whether it is back;
 * `half_open`, it answers again and one study at a time tries whether it also stores.
 */
export const CIRCUIT_STATES = ['closed', 'open', 'half_open'] as const;
export type CircuitState = (typeof CIRCUIT_STATES)[number];

/** Seconds between two probes of a PACS that works. */
export const PROBE_EVERY_SECONDS = 15;
/** A PACS that comes back is found within this time and what a probe takes. */
const MOST_SECONDS = 15;
/** However long it asks us to wait: one odd answer must not park everything that is to go to it. */
const MOST_RETRY_AFTER_SECONDS = 60;

/**
 * Seconds until a PACS that fails is asked again: doubling with each failure, with up to 20 % of jitter.
 *
 * @param failures - in a row, from 1
 * @param leastSeconds - what the PACS itself asked for (Retry-After); counted up to a minute
 * @param random - a number in [0, 1)
 */
export function probeDelaySeconds(failures: number, leastSeconds = 0, random = Math.random()): number {
  const base = Math.min(MOST_SECONDS, 2 ** Math.max(0, failures - 1));
  return Math.max(base * (0.8 + 0.2 * random), Math.min(leastSeconds, MOST_RETRY_AFTER_SECONDS));
}

/** How many studies may be delivered to a PACS at once. */
export function slotsOf(state: CircuitState, concurrency: number): number {
  if (state === 'open') return 0;
  return state === 'half_open' ? 1 : concurrency;
}
