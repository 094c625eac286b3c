import type { Transact, UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import {
  deleteUploadFiles,
  findUploadFile,
  sumUploadFiles,
  type UploadFileRow,
  updateUploadFile,
} from '@relaypacs/core/db/upload-files.js';
import { announceUpload, lockUpload, setTotalBytes, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { HttpProblem } from '../http/http-problem.js';
import { receiveUpload } from '../uploads/receive-upload.js';
import type { TusRequest } from './tus-request.js';

export interface FinishedFile {
  /** Keys of objects nobody needs any more. */
  abandoned: string[];
  /** The file itself was not wanted any more. */
  problem: HttpProblem | undefined;
}

const nothingToDo: FinishedFile = { abandoned: [], problem: undefined };

/**
 * Marks a file as received when its last byte is acknowledged, and with the last file the whole upload: file row,
 * status, audit and job in one transaction. Doing it twice changes nothing. A slice waits for its join.
 */
export async function finishFile(
  transact: Transact,
  request: Pick<TusRequest, 'upload' | 'actor'>,
  fileId: string,
  size: number,
): Promise<FinishedFile> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, request.upload.id);
    const found = await findUploadFile(unit.trx, fileId);
    const file = found?.uploadId === upload?.id ? found : undefined;
    if (upload && file && takesFiles(upload.status)) {
      return file.isPartial || file.status !== 'uploading'
        ? nothingToDo
        : receiveFile(unit, upload, file, size, request.actor);
    }
    if (file && file.status !== 'uploading') return nothingToDo;
    const problem = new HttpProblem('GONE', 'The upload takes no more files; this one is not needed.');
    return { abandoned: [], problem };
  });
}

/** The same within a transaction that holds the upload, for a file whose bytes are all there. */
export async function receiveFile(
  unit: UnitOfWork,
  upload: UploadRow,
  file: Pick<UploadFileRow, 'id'>,
  size: number,
  actor: TusRequest['actor'],
): Promise<FinishedFile> {
  const before = (await sumUploadFiles(unit.trx, [upload.id])).get(upload.id);
  const received = (before?.received ?? 0) + 1;
  const receivedBytes = (before?.receivedBytes ?? 0) + size;
  if (received > upload.fileCount || receivedBytes > upload.totalBytes) {
    const problem = new HttpProblem(
      'UPLOAD_TOO_LARGE',
      `More arrived than the ${upload.fileCount} files and ${upload.totalBytes} bytes announced; this file was not kept.`,
    );
    return { abandoned: await deleteUploadFiles(unit.trx, [file.id]), problem };
  }
  await updateUploadFile(unit.trx, file.id, { status: 'received', size, finishedAt: new Date() });
  if (received < upload.fileCount) {
    announceUpload(unit, upload);
    return nothingToDo;
  }
  if (upload.isImplicit) await setTotalBytes(unit.trx, upload.id, receivedBytes);
  const abandoned = await receiveUpload(unit, upload, { received, receivedBytes }, actor);
  return { abandoned, problem: undefined };
}
