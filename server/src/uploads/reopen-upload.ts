import type { Config } from '@relaypacs/core/config.js';
import type { ReopenUploadRequest } from '@relaypacs/core/contract/uploads.js';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import { deleteUnusedDerivedFiles } from '@relaypacs/core/db/derived-files.js';
import { deleteUnbegunStudies } from '@relaypacs/core/db/studies.js';
import { SUPERSEDED_IN_PACS } from '@relaypacs/core/db/superseded.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import { sumUploadFiles } from '@relaypacs/core/db/upload-files.js';
import {
  changeUploadStatus,
  lockUpload,
  recordUploadWarnings,
  type UploadRow,
} from '@relaypacs/core/db/uploads.js';
import { HttpProblem, notFound } from '../http/http-problem.js';
import { assertWaitsForSender } from './confirm-upload.js';

const HOUR_MS = 3_600_000;

/**
 * Lets the sender add files to an upload that waits for an answer: it takes files again, and is checked anew as a whole
 * when they have arrived. What arrived before stays.
 *
 * @returns the upload, and objects nobody needs any more
 * @throws HttpProblem UPLOAD_STATE_CONFLICT when it does not wait for its sender, UPLOAD_TOO_LARGE
 */
export async function reopenUpload(
  transact: Transact,
  limits: Config['uploads'],
  uploadId: string,
  more: ReopenUploadRequest,
  actor: Actor,
): Promise<{ upload: UploadRow; abandoned: string[] }> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, uploadId);
    if (!upload) throw notFound('upload');
    assertWaitsForSender(upload);
    const totals = (await sumUploadFiles(unit.trx, [uploadId])).get(uploadId);
    const totalBytes = (totals?.receivedBytes ?? 0) + more.totalBytes;
    if (totalBytes > limits.maxBytes) {
      throw new HttpProblem(
        'UPLOAD_TOO_LARGE',
        `One upload may hold ${limits.maxBytes} bytes, this one would have ${totalBytes}. What has arrived is safe; send the further files in a new upload.`,
        { maxBytes: limits.maxBytes },
      );
    }
    await deleteUnbegunStudies(unit.trx, uploadId);
    const abandoned = await deleteUnusedDerivedFiles(unit.trx, uploadId);
    // What the PACS has of what was corrected is there whatever the next check finds.
    const lasting = upload.warnings.filter(({ code }) => code === SUPERSEDED_IN_PACS);
    await recordUploadWarnings(unit.trx, uploadId, lasting);
    const reopened = await changeUploadStatus(unit, {
      uploadId,
      to: 'uploading',
      actor,
      detail: { moreFiles: more.fileCount, moreBytes: more.totalBytes },
      set: {
        fileCount: (totals?.received ?? 0) + more.fileCount,
        totalBytes,
        expiresAt: new Date(Date.now() + limits.ttlHours * HOUR_MS),
      },
    });
    return { upload: reopened, abandoned };
  });
}
