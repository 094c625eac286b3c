import type { Actor } from '@relaypacs/core/db/audit-events.js';
import type { Queryable } from '@relaypacs/core/db/database.js';
import { listEverDelivered } from '@relaypacs/core/db/studies.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import { changeUploadStatus, lockUpload } from '@relaypacs/core/db/uploads.js';
import { isCancellable } from '@relaypacs/core/domain/upload-status.js';
import { HttpProblem, notFound } from '../http/http-problem.js';

/**
 * Takes an upload back before anything of it goes to the PACS. Cancelling twice is no error.
 *
 * @returns true when the upload was cancelled by this call
 * @throws HttpProblem UPLOAD_STATE_CONFLICT once delivery has begun
 */
export async function cancelUpload(transact: Transact, uploadId: string, actor: Actor): Promise<boolean> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, uploadId);
    if (!upload) throw notFound('upload');
    if (upload.status === 'cancelled') return false;
    if (!isCancellable(upload.status) || (await wasSent(unit.trx, uploadId))) {
      throw new HttpProblem(
        'UPLOAD_STATE_CONFLICT',
        `The upload is ${upload.status} and can no longer be taken back; what has gone to the PACS stays there.`,
      );
    }
    await changeUploadStatus(unit, { uploadId, to: 'cancelled', actor });
    return true;
  });
}

/** One that failed and was corrected is checked anew when part of it has gone to the PACS. */
async function wasSent(trx: Queryable, uploadId: string): Promise<boolean> {
  return (await listEverDelivered(trx, [uploadId])).some(({ attempts }) => attempts > 0);
}
