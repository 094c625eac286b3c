import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import { insertUploadFile, sumUploadFiles } from '@relaypacs/core/db/upload-files.js';
import { changeUploadStatus, lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { HttpProblem } from '../http/http-problem.js';
import type { FileMetadata } from './metadata.js';
import type { TusRequest } from './tus-request.js';

/** Creations that may be begun beyond the announced number: those whose answer was lost and that are sent again. */
const spareCreations = (upload: UploadRow) => upload.fileCount + 16;

/**
 * Records a new file of an upload before the store makes it.
 *
 * @param size - bytes; null while the client has not said (creation-defer-length)
 * @throws HttpProblem UPLOAD_TOO_LARGE, TOO_MANY_FILES or UPLOAD_NOT_OPEN
 */
export async function createFile(
  transact: Transact,
  { upload: found, actor }: TusRequest,
  fileId: string,
  size: number | null,
  metadata: FileMetadata,
): Promise<void> {
  await transact(async (unit) => {
    const upload = await lockUpload(unit.trx, found.id);
    if (!upload || !takesFiles(upload.status)) {
      throw new HttpProblem('UPLOAD_NOT_OPEN', 'The upload takes no more files. What has arrived is safe.');
    }
    const totals = (await sumUploadFiles(unit.trx, [upload.id])).get(upload.id);
    const received = totals?.received ?? 0;
    const receivedBytes = totals?.receivedBytes ?? 0;
    if (receivedBytes + (size ?? 0) > upload.totalBytes) {
      throw new HttpProblem(
        'UPLOAD_TOO_LARGE',
        `This file would make the upload larger than the ${upload.totalBytes} bytes announced. What has arrived is safe.`,
        { totalBytes: upload.totalBytes, receivedBytes },
      );
    }
    if (
      received >= upload.fileCount ||
      (totals?.unfinished ?? 0) >= upload.fileCount + spareCreations(upload)
    ) {
      throw new HttpProblem(
        'TOO_MANY_FILES',
        `The upload was announced with ${upload.fileCount} files. What has arrived is safe.`,
        { fileCount: upload.fileCount, received },
      );
    }
    await insertUploadFile(unit.trx, {
      id: fileId,
      uploadId: upload.id,
      clientId: metadata.clientId ?? null,
      filename: metadata.filename,
      relativePath: metadata.relativePath ?? null,
      filetype: metadata.filetype ?? null,
      size,
    });
    if (upload.status === 'created')
      await changeUploadStatus(unit, { uploadId: upload.id, to: 'uploading', actor });
  });
}
