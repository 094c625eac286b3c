import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { listUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { listUploadsToEmpty, recordBytesRemoved } from '@relaypacs/core/db/uploads.js';
import type { Platform } from '@relaypacs/core/platform.js';

const BATCH = 100;

/** Removes the bytes of ended uploads that nobody needs any more, and says so in the audit trail. */
export async function removeBytes({
  db,
  transact,
  storage,
  config,
}: Pick<Platform, 'db' | 'transact' | 'storage' | 'config'>): Promise<number> {
  const uploads = await listUploadsToEmpty(db, config.uploads.graceHours, BATCH);
  for (const { id } of uploads) {
    const files = await listUploadFiles(db, id);
    for (const file of files) await storage.remove(file.id);
    await transact(async (unit) => {
      await recordBytesRemoved(unit.trx, id);
      unit.audit({
        actor: SYSTEM_ACTOR,
        action: 'upload.bytes_removed',
        objectType: 'upload',
        objectId: id,
        detail: { files: files.length },
      });
    });
  }
  return uploads.length;
}
