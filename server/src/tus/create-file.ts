import type { Transact, UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import {
  deleteUploadFile,
  findUploadFileByClientId,
  insertUploadFile,
  listUnfinishedFiles,
  sumUploadFiles,
} from '@relaypacs/core/db/upload-files.js';
import { changeUploadStatus, lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { HttpProblem } from '../http/http-problem.js';
import type { FileMetadata } from './metadata.js';
import type { TusRequest } from './tus-request.js';

/** What unfinished files may announce together, as a multiple of the upload: room for creations sent twice. */
const UNFINISHED_SHARE = 2;
/** Unfinished files beyond the announced number, for the same reason. */
const SPARE_FILES = 16;

export interface NewFile {
  id: string;
  /** Bytes; null while the client has not said (creation-defer-length). */
  size: number | null;
  metadata: FileMetadata;
  /** The `Upload-Metadata` header as it came. */
  tusMetadata: string | null;
}

function assertFits(upload: UploadRow, received: number, receivedBytes: number, size: number): void {
  if (receivedBytes + size > upload.totalBytes) {
    throw new HttpProblem(
      'UPLOAD_TOO_LARGE',
      `This file would make the upload larger than the ${upload.totalBytes} bytes announced. What has arrived is safe.`,
      { totalBytes: upload.totalBytes, receivedBytes },
    );
  }
  if (received >= upload.fileCount) {
    throw new HttpProblem(
      'TOO_MANY_FILES',
      `The upload was announced with ${upload.fileCount} files. What has arrived is safe.`,
      { fileCount: upload.fileCount, received },
    );
  }
}

/**
 * Keeps what one upload can put on the disk bounded: where too much is begun and unfinished, the creations that
 * look like earlier tries of this one are dropped first, then the oldest.
 */
async function makeRoom(unit: UnitOfWork, upload: UploadRow, file: NewFile): Promise<string[]> {
  const sizeOf = (size: number | null) => size ?? upload.totalBytes;
  const unfinished = await listUnfinishedFiles(unit.trx, upload.id);
  let bytes = unfinished.reduce((sum, { size }) => sum + sizeOf(size), 0) + sizeOf(file.size);
  let count = unfinished.length + 1;
  const isEarlierTry = (row: (typeof unfinished)[number]) =>
    row.size === file.size &&
    row.filename === file.metadata.filename &&
    row.relativePath === (file.metadata.relativePath ?? null);
  const dropped: string[] = [];
  const candidates = [...unfinished.filter(isEarlierTry), ...unfinished.filter((row) => !isEarlierTry(row))];
  for (const row of candidates) {
    if (bytes <= upload.totalBytes * UNFINISHED_SHARE && count <= upload.fileCount + SPARE_FILES) break;
    await deleteUploadFile(unit.trx, row.id);
    dropped.push(row.id);
    bytes -= sizeOf(row.size);
    count -= 1;
  }
  return dropped;
}

/**
 * Records a new file of an upload before the store makes it.
 *
 * @returns ids of files begun earlier whose bytes are not wanted any more
 * @throws HttpProblem UPLOAD_TOO_LARGE, TOO_MANY_FILES, UPLOAD_NOT_OPEN, or FILE_LOCKED while the same creation runs
 */
export async function createFile(
  transact: Transact,
  { upload: found, actor }: TusRequest,
  file: NewFile,
): Promise<string[]> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, found.id);
    if (!upload || !takesFiles(upload.status)) {
      throw new HttpProblem('UPLOAD_NOT_OPEN', 'The upload takes no more files. What has arrived is safe.');
    }
    const { clientId } = file.metadata;
    if (clientId !== undefined && (await findUploadFileByClientId(unit.trx, upload.id, clientId))) {
      throw new HttpProblem('FILE_LOCKED', 'This file is being created by another request. Try again.');
    }
    const totals = (await sumUploadFiles(unit.trx, [upload.id])).get(upload.id);
    assertFits(upload, totals?.received ?? 0, totals?.receivedBytes ?? 0, file.size ?? 0);
    const dropped = await makeRoom(unit, upload, file);
    await insertUploadFile(unit.trx, {
      id: file.id,
      uploadId: upload.id,
      clientId: clientId ?? null,
      filename: file.metadata.filename,
      relativePath: file.metadata.relativePath ?? null,
      filetype: file.metadata.filetype ?? null,
      tusMetadata: file.tusMetadata,
      size: file.size,
    });
    if (upload.status === 'created') {
      await changeUploadStatus(unit, { uploadId: upload.id, to: 'uploading', actor });
    }
    return dropped;
  });
}
