import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import { sumUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { changeUploadStatus, listOverdueUploads, lockUpload } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { receiveUpload } from '@relaypacs/core/uploads/receive-upload.js';

const BATCH = 100;

const EXPIRED: UploadProblem = {
  code: 'UPLOAD_EXPIRED',
  title: 'Not finished in time',
  detail: 'The transfer was not finished in time and nothing was sent to the PACS. Send the study again.',
  remedy: 'new_upload',
};

/**
 * Ends open uploads whose time is over, or, where they were complete before, goes on with what they have; their bytes are removed by {@link removeBytes}. One with which that fails is
 * logged and comes again; the others go on.
 *
 * @returns how many were looked after
 */
export async function expireUploads({
  db,
  transact,
  storage,
  logger,
}: Pick<Platform, 'db' | 'transact' | 'storage' | 'logger'>): Promise<number> {
  let done = 0;
  for (const { id } of await listOverdueUploads(db, BATCH)) {
    try {
      const abandoned = await transact((unit) => expire(unit, id));
      await storage.remove(abandoned);
      done += 1;
    } catch (error) {
      logger.error('An upload could not be ended', { uploadId: id, error });
    }
  }
  return done;
}

async function expire(unit: UnitOfWork, uploadId: string): Promise<string[]> {
  // Its last file may have arrived since it was listed.
  const upload = await lockUpload(unit.trx, uploadId);
  if (!upload || !takesFiles(upload.status)) return [];
  const totals = (await sumUploadFiles(unit.trx, [uploadId])).get(uploadId);
  // It was complete once and opened again for more files: what had arrived by then is a study somebody relies on.
  if (upload.receivedAt !== null && totals) return receiveUpload(unit, upload, totals, SYSTEM_ACTOR);
  await changeUploadStatus(unit, { uploadId, to: 'expired', actor: SYSTEM_ACTOR, problem: EXPIRED });
  return [];
}
