import type { Segment } from '../storage/object-storage.js';
import type { Queryable } from './database.js';
import { deleteUploadFiles, type UploadFileRow } from './upload-files.js';

/** A file the intake has written: a wrapped image or note. */
export interface DerivedFile {
  id: string;
  uploadId: string;
  filename: string;
  /** Bytes. */
  size: number;
  sha256: Buffer;
  /** Where its bytes lie, durable already. */
  segments: readonly Segment[];
}

/** Writes down files the intake has made, in the transaction that writes down their instances. */
export async function insertDerivedFiles(trx: Queryable, files: readonly DerivedFile[]): Promise<void> {
  for (const { segments, ...file } of files) {
    await trx('uploadFiles').insert({
      ...file,
      bytesReceived: file.size,
      isDerived: true,
      status: 'accepted',
      kind: 'dicom',
      finishedAt: new Date(),
    });
    if (segments.length > 0) {
      await trx('fileSegments').insert(segments.map((segment) => ({ ...segment, fileId: file.id })));
    }
  }
}

/**
 * Deletes the rows of what an earlier intake has made and no instance refers to any more.
 *
 * @returns keys of their objects, which may be removed once the transaction is committed
 */
export async function deleteUnusedDerivedFiles(trx: Queryable, uploadId: string): Promise<string[]> {
  const ids: string[] = await trx<UploadFileRow>('uploadFiles')
    .where({ uploadId, isDerived: true })
    .whereNotExists(trx('instances').whereRaw('instances.upload_file_id = upload_files.id'))
    .pluck('id');
  return deleteUploadFiles(trx, ids);
}
