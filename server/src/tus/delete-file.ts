import { isTakenEarly } from '@relaypacs/core/db/early-studies.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import { deleteUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { announceUpload, changeUploadStatus, lockUpload } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { HttpProblem } from '../http/http-problem.js';
import type { TusRequest } from './tus-request.js';

/**
 * Takes a file out of an upload that is still open (tus, Termination).
 *
 * @returns keys of its objects: once the rows are gone nothing refers to them, and they may be removed
 * @throws HttpProblem UPLOAD_NOT_OPEN when the upload was completed in the meantime, UPLOAD_STATE_CONFLICT when the image
 * in the file is delivered early
 */
export async function deleteFile(
  transact: Transact,
  { upload: found, actor }: Pick<TusRequest, 'upload' | 'actor'>,
  fileId: string,
): Promise<string[]> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, found.id);
    if (!upload || !takesFiles(upload.status)) {
      throw new HttpProblem('UPLOAD_NOT_OPEN', 'The upload is complete; its files can no longer be removed.');
    }
    if (await isTakenEarly(unit.trx, fileId)) {
      throw new HttpProblem(
        'UPLOAD_STATE_CONFLICT',
        'The image in this file is on its way into the PACS already, so the file can no longer be removed. It is safe here.',
      );
    }
    const keys = await deleteUploadFiles(unit.trx, [fileId]);
    // An upload that nobody announced is its file.
    if (upload.isImplicit) await changeUploadStatus(unit, { uploadId: upload.id, to: 'cancelled', actor });
    else announceUpload(unit, upload);
    return keys;
  });
}
