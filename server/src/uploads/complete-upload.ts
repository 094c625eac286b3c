import type { CompleteUploadRequest } from '@relaypacs/core/contract/uploads.js';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import { listUploadFiles, type UploadFileRow, updateUploadFile } from '@relaypacs/core/db/upload-files.js';
import { lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { HttpProblem, notFound } from '../http/http-problem.js';
import { receiveUpload } from './receive-upload.js';

const digest = (hex: string | undefined) => (hex === undefined ? undefined : Buffer.from(hex, 'hex'));

function assertSizesAgree(files: readonly UploadFileRow[], announced: CompleteUploadRequest['files']): void {
  for (const { id, size } of announced ?? []) {
    const file = files.find((candidate) => candidate.id === id);
    if (!file) throw new HttpProblem('CHECKSUM_CONFLICT', `The upload has no file ${id}.`, { fileId: id });
    if (file.status !== 'uploading' && file.size !== size) {
      throw new HttpProblem(
        'CHECKSUM_CONFLICT',
        `The file ${file.filename} has ${file.size} bytes here, but ${size} were announced. Send the file again.`,
        { fileId: id },
      );
    }
  }
}

/**
 * Ends the transfer by the sender's word. Digests announced here are checked by the worker against what arrived.
 * Calling it again changes nothing.
 *
 * @returns the upload, and files begun but never finished whose bytes may go
 * @throws HttpProblem FILES_INCOMPLETE naming what is missing, CHECKSUM_CONFLICT, UPLOAD_NOT_OPEN
 */
export async function completeUpload(
  transact: Transact,
  uploadId: string,
  request: CompleteUploadRequest,
  actor: Actor,
): Promise<{ upload: UploadRow; abandoned: string[] }> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, uploadId);
    if (!upload) throw notFound('upload');
    const files = await listUploadFiles(unit.trx, uploadId);
    assertSizesAgree(files, request.files);
    if (['received', 'processing', 'delivering', 'delivered'].includes(upload.status))
      return { upload, abandoned: [] };
    if (!takesFiles(upload.status)) {
      throw new HttpProblem(
        'UPLOAD_NOT_OPEN',
        `The upload is ${upload.status}; it can no longer be completed.`,
      );
    }
    const finished = files.filter((file) => file.status !== 'uploading');
    if (finished.length < upload.fileCount) {
      throw new HttpProblem(
        'FILES_INCOMPLETE',
        `${finished.length} of ${upload.fileCount} files have arrived and are safe. Send the others, then complete again.`,
        {
          received: finished.length,
          expected: upload.fileCount,
          missing: files
            .filter((file) => file.status === 'uploading')
            .map((file) => ({ id: file.id, filename: file.filename, size: file.size })),
        },
      );
    }
    for (const file of request.files ?? []) {
      const md5 = digest(file.md5);
      const sha256 = digest(file.sha256);
      await updateUploadFile(unit.trx, file.id, {
        ...(md5 ? { announcedMd5: md5 } : {}),
        ...(sha256 ? { announcedSha256: sha256 } : {}),
      });
    }
    const receivedBytes = finished.reduce((sum, file) => sum + (file.size ?? 0), 0);
    const abandoned = await receiveUpload(unit, upload, { received: finished.length, receivedBytes }, actor);
    return { upload: { ...upload, status: 'received' }, abandoned };
  });
}
