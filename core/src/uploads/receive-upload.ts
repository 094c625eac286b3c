import type { Actor } from '../db/audit-events.js';
import type { UnitOfWork } from '../db/unit-of-work.js';
import { deleteUploadFiles, type FileTotals, listUnfinishedFiles } from '../db/upload-files.js';
import { changeUploadStatus, type UploadRow } from '../db/uploads.js';
import { intakeJob } from '../queue/jobs.js';

/**
 * Closes an upload all of whose files have arrived: status `received` and the intake job in one transaction.
 * Files that were begun and never finished (a creation whose answer got lost and was sent again) and slices that were
 * never joined are dropped.
 *
 * @returns keys of the objects of dropped files, which may be removed once the transaction is committed
 */
export async function receiveUpload(
  unit: UnitOfWork,
  upload: UploadRow,
  totals: Pick<FileTotals, 'received' | 'receivedBytes'>,
  actor: Actor,
): Promise<string[]> {
  const unfinished = await listUnfinishedFiles(unit.trx, upload.id);
  const abandoned = await deleteUploadFiles(
    unit.trx,
    unfinished.map(({ id }) => id),
  );
  const received = await changeUploadStatus(unit, {
    uploadId: upload.id,
    to: 'received',
    actor,
    detail: { files: totals.received, bytes: totals.receivedBytes },
  });
  unit.enqueue(intakeJob(received));
  return abandoned;
}
