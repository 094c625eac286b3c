import type { CreateUploadRequest, UploadDetail, UploadFile } from '@relaypacs/core/contract/uploads.js';
import type { FileToSend } from './transport.js';

/**
 * Finds, for files picked again, what has arrived of them in an unfinished upload. Files are known by path and
 * size: the server has no other sign of a file that is half there.
 *
 * @returns undefined when it is not certain that these are the files of that upload
 */
export function adoptableFiles(
  announcement: CreateUploadRequest,
  files: readonly FileToSend[],
  upload: UploadDetail,
): ReadonlyMap<FileToSend, UploadFile> | undefined {
  if (upload.fileCount !== announcement.fileCount || upload.totalBytes !== announcement.totalBytes) return;
  // The server takes the same patient, date and modality for the same study; two studies of a day differ here.
  for (const field of ['studyInstanceUid', 'patientId', 'patientBirthDate', 'studyDescription'] as const) {
    if ((upload[field] ?? '') !== (announcement[field]?.trim() ?? '')) return;
  }
  const local = new Map(files.map((file) => [keyOf(file.relativePath, file.blob.size), file]));
  // Two files of one path and size cannot be told apart, and the half of one must not be joined to the other.
  if (local.size < files.length) return;
  const arrived = new Map<FileToSend, UploadFile>();
  for (const there of upload.files) {
    const file = local.get(keyOf(there.relativePath ?? there.filename, there.size));
    if (!file || there.status === 'rejected') return;
    // A file that was lost and created anew stands there twice.
    const other = arrived.get(file);
    if (!other || progressOf(there) > progressOf(other)) arrived.set(file, there);
  }
  return arrived;
}

function keyOf(path: string, size: number | null): string {
  return `${size}|${path}`;
}

function progressOf(file: UploadFile): number {
  return file.status === 'uploading' ? file.offset : Number.POSITIVE_INFINITY;
}
