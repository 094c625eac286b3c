import type { Actor } from '@relaypacs/core/db/audit-events.js';
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
    if (!isCancellable(upload.status)) {
      throw new HttpProblem(
        'UPLOAD_STATE_CONFLICT',
        `The upload is ${upload.status} and can no longer be taken back; what has gone to the PACS stays there.`,
      );
    }
    await changeUploadStatus(unit, { uploadId, to: 'cancelled', actor });
    return true;
  });
}
