import { findKnownFileIds } from '@relaypacs/core/db/upload-files.js';
import type { Platform } from '@relaypacs/core/platform.js';

/** A file's row is written before its bytes; younger bytes may belong to a creation that is under way. */
const LEAST_AGE_MS = 3_600_000;
const BATCH = 500;

/**
 * Removes bytes that no row refers to: their row was deleted, and whoever did it was killed before it could remove
 * them. No patient's data stays behind unseen.
 */
export async function removeOrphans({
  db,
  storage,
  logger,
}: Pick<Platform, 'db' | 'storage' | 'logger'>): Promise<number> {
  let removed = 0;
  const removeUnknown = async (keys: readonly string[]) => {
    const known = await findKnownFileIds(db, keys);
    for (const key of keys.filter((each) => !known.has(each))) {
      try {
        await storage.remove(key);
        logger.info('Removed bytes without a record', { fileId: key });
        removed += 1;
      } catch (error) {
        logger.error('Bytes without a record could not be removed', { fileId: key, error });
      }
    }
  };
  let batch: string[] = [];
  for await (const key of storage.listKeys(new Date(Date.now() - LEAST_AGE_MS))) {
    if (batch.push(key) < BATCH) continue;
    await removeUnknown(batch);
    batch = [];
  }
  await removeUnknown(batch);
  return removed;
}
