import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { deleteFileExaminations } from '@relaypacs/core/db/file-examinations.js';
import { deleteSegments, listUploadObjectKeys } from '@relaypacs/core/db/file-segments.js';
import {
  isToBeEmptied,
  listUploadsToEmpty,
  type RemovalTimes,
  recordBytesRemoved,
} from '@relaypacs/core/db/unneeded-bytes.js';
import { lockUpload } from '@relaypacs/core/db/uploads.js';
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
  const times = { graceHours: config.uploads.graceHours, settleSeconds };
  let emptied = 0;
  for (const { id } of await listUploadsToEmpty(db, times, BATCH)) {
    try {
      if (await emptyUpload(deps, id, times)) emptied += 1;
    } catch (error) {
      logger.error('The bytes of an upload could not be removed', { uploadId: id, error });
    }
  }
  return emptied;
}

async function emptyUpload(
  { transact, storage }: Pick<Platform, 'transact' | 'storage'>,
  id: string,
  times: RemovalTimes,
): Promise<boolean> {
  return transact(async (unit) => {
    // Held to the end: whoever has it sent again came before and is seen here, or finds the bytes gone.
    await lockUpload(unit.trx, id);
    if (!(await isToBeEmptied(unit.trx, id, times))) return false;
    const keys = await listUploadObjectKeys(unit.trx, id);
    await storage.remove(keys);
    await deleteSegments(unit.trx, keys);
    await deleteFileExaminations(unit.trx, id);
    await recordBytesRemoved(unit.trx, id);
    unit.audit({
      actor: SYSTEM_ACTOR,
      action: 'upload.bytes_removed',
      objectType: 'upload',
      objectId: id,
      detail: { objects: keys.length },
    });
    return true;
  });
}
