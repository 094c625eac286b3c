import type { ServiceLevel } from '../contract/uploads.js';

const PRIORITY: Record<ServiceLevel, number> = { stat: 1, emergency: 2, routine: 3 };

/** Queue priority of a service level; 1 is served first. */
export function priorityOf(level: ServiceLevel): number {
  return PRIORITY[level];
}
