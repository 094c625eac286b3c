import type { Actor } from '../db/audit-events.js';
import { listFirstDeliveries } from '../db/studies.js';
import { hasUnexaminedFiles } from '../db/unexamined-files.js';
import type { UnitOfWork } from '../db/unit-of-work.js';
import { changeUploadStatus, type StatusChange, type UploadRow } from '../db/uploads.js';
import { deliveryJob } from '../queue/jobs.js';

/**
 * Hands an upload's studies to delivery: those that are still to be delivered. One of which the PACS has everything
 * already is delivered at once.
 *
 * @param more - what is wrong already, detail for the audit trail, and further columns that change with the status
 */
export async function startDelivery(
  unit: UnitOfWork,
  upload: UploadRow,
  actor: Actor,
  more: Pick<StatusChange, 'problem' | 'detail' | 'set'> = {},
): Promise<UploadRow> {
  const studies = await listFirstDeliveries(unit.trx, [upload.id]);
  const open = studies.filter(({ status }) => status === 'pending' || status === 'delivering');
  for (const study of open) {
    unit.enqueue(deliveryJob({ ...study, nextAttemptAt: null }, upload.serviceLevel));
  }
  const delivering = await changeUploadStatus(unit, {
    ...more,
    uploadId: upload.id,
    to: 'delivering',
    actor,
    detail: { studies: open.length, ...more.detail },
  });
  if (open.length > 0) return delivering;
  // Their bytes would be removed as those of a delivered upload.
  if (await hasUnexaminedFiles(unit.trx, upload.id)) throw new Error('Files of the upload were not checked');
  const detail = { studies: studies.length, delivered: studies.length };
  return changeUploadStatus(unit, { uploadId: upload.id, to: 'delivered', actor, detail });
}
