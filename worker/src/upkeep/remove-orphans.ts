import { findKnownKeys } from '@relaypacs/core/db/file-segments.js';
import type { Platform } from '@relaypacs/core/platform.js';

const HOUR_MS = 3_600_000;
const BATCH = 500;

/**
 * Removes bytes that no row refers to: their row was deleted, and whoever did it was killed before it could remove
 * them. No patient's data stays behind unseen.
 */
export async function removeOrphans({
  db,
  storage,
  config,
  logger,
}: Pick<Platform, 'db' | 'storage' | 'config' | 'logger'>): Promise<number> {
  let removed = 0;
  const removeUnknown = async (keys: readonly string[]) => {
    const known = await findKnownKeys(db, keys);
    for (const key of keys.filter((each) => !known.has(each))) {
      try {
        await storage.remove([key]);
        logger.info('Removed bytes without a record', { key });
        removed += 1;
      } catch (error) {
        logger.error('Bytes without a record could not be removed', { key, error });
      }
    }
  };
  // Bytes are recorded after they are written, and a slow request may take as long as its upload can: what is
  // younger may still be.
  const youngest = new Date(Date.now() - (config.uploads.ttlHours + 1) * HOUR_MS);
  let batch: string[] = [];
  for await (const key of storage.listKeys(youngest)) {
    if (batch.push(key) < BATCH) continue;
    await removeUnknown(batch);
    batch = [];
  }
  await removeUnknown(batch);
  return removed;
}
