import type { LiveChange } from '../../api/live-updates.js';

/**
 * Looks again once for all the changes that come within a while: many come at once when a study arrives.
 *
 * @param settleMs - milliseconds from the first change until `look` is called
 * @param uploadId - only changes that may concern this upload count; undefined: all do
 * @returns what ends the watching
 */
export function watchSettled(
  live: { watch(watcher: (change: LiveChange) => void): () => void },
  settleMs: number,
  uploadId: string | undefined,
  look: () => void,
): () => void {
  let settling: ReturnType<typeof setTimeout> | undefined;
  const unwatch = live.watch((change) => {
    if (uploadId !== undefined && change.uploadId !== undefined && change.uploadId !== uploadId) return;
    settling ??= setTimeout(() => {
      settling = undefined;
      look();
    }, settleMs);
  });
  return () => {
    unwatch();
    clearTimeout(settling);
  };
}
