import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import {
  deleteUploadFile,
  findUploadFile,
  sumUploadFiles,
  updateUploadFile,
} from '@relaypacs/core/db/upload-files.js';
import { announceUpload, lockUpload } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { HttpProblem } from '../http/http-problem.js';
import { receiveUpload } from '../uploads/receive-upload.js';
import type { TusRequest } from './tus-request.js';

export interface FinishedFile {
  /** Ids of files whose bytes may be removed. */
  abandoned: string[];
  /** The file itself was not wanted any more. */
  problem: HttpProblem | undefined;
}

/**
 * Marks a file as received when its last byte is acknowledged, and with the last file the whole upload: file row,
 * status, audit and job in one transaction. Doing it twice changes nothing.
 */
export async function finishFile(
  transact: Transact,
  { upload: known, actor }: TusRequest,
  fileId: string,
  size: number,
): Promise<FinishedFile> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, known.id);
    const found = await findUploadFile(unit.trx, fileId);
    const file = found?.uploadId === upload?.id ? found : undefined;
    if (!upload || !file || !takesFiles(upload.status)) {
      const done = file !== undefined && file.status !== 'uploading';
      const problem = done
        ? undefined
        : new HttpProblem('GONE', 'The upload takes no more files; this one is not needed.');
      return { abandoned: [], problem };
    }
    if (file.status !== 'uploading') return { abandoned: [], problem: undefined };
    const before = (await sumUploadFiles(unit.trx, [upload.id])).get(upload.id);
    const received = (before?.received ?? 0) + 1;
    const receivedBytes = (before?.receivedBytes ?? 0) + size;
    if (received > upload.fileCount || receivedBytes > upload.totalBytes) {
      await deleteUploadFile(unit.trx, fileId);
      const problem = new HttpProblem(
        'UPLOAD_TOO_LARGE',
        `More arrived than the ${upload.fileCount} files and ${upload.totalBytes} bytes announced; this file was not kept.`,
      );
      return { abandoned: [fileId], problem };
    }
    await updateUploadFile(unit.trx, fileId, { status: 'received', size, finishedAt: new Date() });
    if (received === upload.fileCount) {
      const abandoned = await receiveUpload(unit, upload, { received, receivedBytes }, actor);
      return { abandoned, problem: undefined };
    }
    announceUpload(unit, upload);
    return { abandoned: [], problem: undefined };
  });
}
