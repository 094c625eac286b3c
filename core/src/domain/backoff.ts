/**
 * Seconds to wait before attempt `attempt` + 1 (attempts count from 1): doubling from `first` up to `most`,
 * with up to 20 % of jitter so that waiting studies do not all knock at the same moment.
 *
 * @param random - a number in [0, 1)
 */
export function backoffSeconds(attempt: number, first = 1, most = 30, random = Math.random()): number {
  const base = Math.min(most, first * 2 ** Math.max(0, attempt - 1));
  return base * (0.8 + 0.2 * random);
}
