import type { Platform } from '@relaypacs/core/platform.js';

/** Removes bytes whose rows are gone. */
export type RemoveBytes = (fileIds: readonly string[]) => Promise<void>;

/** What cannot be removed now is found and removed by the worker's search for orphans. */
export function createRemoveBytes({ storage, logger }: Pick<Platform, 'storage' | 'logger'>): RemoveBytes {
  return async (fileIds) => {
    for (const id of fileIds) {
      await storage
        .remove(id)
        .catch((error: unknown) => logger.warn('Bytes were not removed yet', { error, fileId: id }));
    }
  };
}
