import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { deleteSegments, listUploadObjectKeys } from '@relaypacs/core/db/file-segments.js';
import { listUploadsToEmpty, recordBytesRemoved } from '@relaypacs/core/db/uploads.js';
import type { Platform } from '@relaypacs/core/platform.js';

const BATCH = 100;
/** A request that was recording bytes when the upload ended has ended by then, too: none come after the removal. */
const SETTLE_SECONDS = 30;

/**
 * Removes the bytes of ended uploads that nobody needs any more, and says so in the audit trail. An upload with which
 * that fails is logged and comes again; the others go on.
 *
 * @param settleSeconds - age of a cancellation or expiry at which nothing is under way any more
 * @returns how many uploads were emptied
 */
export async function removeBytes(
  deps: Pick<Platform, 'db' | 'transact' | 'storage' | 'config' | 'logger'>,
  settleSeconds = SETTLE_SECONDS,
): Promise<number> {
  const { db, config, logger } = deps;
  const uploads = await listUploadsToEmpty(
    db,
    { graceHours: config.uploads.graceHours, settleSeconds },
    BATCH,
  );
  let emptied = 0;
  for (const { id } of uploads) {
    try {
      await emptyUpload(deps, id);
      emptied += 1;
    } catch (error) {
      logger.error('The bytes of an upload could not be removed', { uploadId: id, error });
    }
  }
  return emptied;
}

async function emptyUpload(
  { db, transact, storage }: Pick<Platform, 'db' | 'transact' | 'storage'>,
  id: string,
): Promise<void> {
  const keys = await listUploadObjectKeys(db, id);
  await storage.remove(keys);
  await transact(async (unit) => {
    await deleteSegments(unit.trx, keys);
    await recordBytesRemoved(unit.trx, id);
    unit.audit({
      actor: SYSTEM_ACTOR,
      action: 'upload.bytes_removed',
      objectType: 'upload',
      objectId: id,
      detail: { objects: keys.length },
    });
  });
}
