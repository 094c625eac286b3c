import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { changeUploadStatus, listOverdueUploads, lockUpload } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import type { Platform } from '@relaypacs/core/platform.js';

const BATCH = 100;

/** Ends open uploads whose time is over; their bytes are removed by {@link removeBytes}. */
export async function expireUploads({ db, transact }: Pick<Platform, 'db' | 'transact'>): Promise<number> {
  const overdue = await listOverdueUploads(db, BATCH);
  for (const { id } of overdue) {
    await transact(async (unit) => {
      // Its last file may have arrived since it was listed.
      const upload = await lockUpload(unit.trx, id);
      if (!upload || !takesFiles(upload.status)) return;
      await changeUploadStatus(unit, {
        uploadId: id,
        to: 'expired',
        actor: SYSTEM_ACTOR,
        problem: {
          code: 'UPLOAD_EXPIRED',
          title: 'Not finished in time',
          detail:
            'The transfer was not finished in time and nothing was sent to the PACS. Send the study again.',
        },
      });
    });
  }
  return overdue.length;
}
