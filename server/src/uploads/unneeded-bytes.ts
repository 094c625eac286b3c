import type { Platform } from '@relaypacs/core/platform.js';

/** Removes objects that no row refers to any more. */
export type RemoveBytes = (keys: readonly string[]) => Promise<void>;

/** What cannot be removed now is found and removed by the worker's search for orphans. */
export function createRemoveBytes({ storage, logger }: Pick<Platform, 'storage' | 'logger'>): RemoveBytes {
  return async (keys) => {
    if (keys.length === 0) return;
    await storage
      .remove(keys)
      .catch((error: unknown) => logger.warn('Bytes were not removed yet', { error, objects: keys.length }));
  };
}
