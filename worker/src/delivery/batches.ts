/** Most instances and bytes of one STOW-RS request: the fastest shape measured, and small enough to repeat. */
export const BATCH_INSTANCES = 20;
export const BATCH_BYTES = 32 * 1024 * 1024;
/** From this many unfinished sends on, an instance travels alone and last: it may be what breaks the others' request. */
const SUSPECT_SENDS = 2;

/**
 * Cuts instances into the requests that carry them, in the order given: at most {@link BATCH_INSTANCES} and
 * {@link BATCH_BYTES} each; a larger instance is a request by itself.
 *
 * @param instances - `size` in bytes; `sends` is how often it was put into a request already
 */
export function planBatches<T extends { size: number; sends: number }>(instances: readonly T[]): T[][] {
  const batches: T[][] = [];
  let batch: T[] = [];
  let bytes = 0;
  for (const instance of instances.filter(({ sends }) => sends < SUSPECT_SENDS)) {
    const full = batch.length === BATCH_INSTANCES || bytes + instance.size > BATCH_BYTES;
    if (full && batch.length > 0) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(instance);
    bytes += instance.size;
  }
  if (batch.length > 0) batches.push(batch);
  // The one that breaks off every time gathers sends and falls back behind those it kept from being sent.
  const suspects = instances.filter(({ sends }) => sends >= SUSPECT_SENDS).sort((a, b) => a.sends - b.sends);
  return [...batches, ...suspects.map((instance) => [instance])];
}
