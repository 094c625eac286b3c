import type { Queryable } from './database.js';
import type { UploadFileRow } from './upload-files.js';
import type { UploadRow } from './uploads.js';

/** In the words of the index that keeps these apart from the others. */
const UNSEEN = `upload_files.status = 'received' AND NOT upload_files.seen_early
  AND NOT upload_files.is_partial AND NOT upload_files.is_derived`;

/**
 * Takes files that have arrived to be looked at while the rest of their upload does, each once: one over which a process
 * ends is not looked at again before the whole upload is.
 *
 * @param trx - must hold the upload
 * @param most - files and bytes; one file is taken whatever its size
 */
export async function takeUnseenFiles(
  trx: Queryable,
  uploadId: string,
  most: { files: number; bytes: number },
): Promise<UploadFileRow[]> {
  const next = trx('uploadFiles')
    .where({ uploadId })
    .whereRaw(UNSEEN)
    .orderBy('id')
    .limit(most.files)
    .select('id', trx.raw('sum(size) OVER (ORDER BY id) - size AS bytes_before'));
  const rows = await trx<UploadFileRow>('uploadFiles')
    .whereIn('id', trx.from(next.as('next')).where('bytesBefore', '<', most.bytes).select('id'))
    .update({ seenEarly: true })
    .returning('*');
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Gives files back that could not be looked at, for no fault of theirs. */
export async function putBackUnseen(db: Queryable, ids: readonly string[]): Promise<void> {
  await db<UploadFileRow>('uploadFiles')
    .whereIn('id', [...ids])
    .update({ seenEarly: false });
}

/** Whether files of an upload that have arrived were not looked at yet. */
export async function hasUnseenFiles(db: Queryable, uploadId: string): Promise<boolean> {
  return (await db('uploadFiles').where({ uploadId }).whereRaw(UNSEEN).first('id')) !== undefined;
}

/** Uploads that still arrive, with files that did more than `seconds` ago and were not looked at. */
export async function listUnseenUploads(db: Queryable, seconds: number, limit: number): Promise<UploadRow[]> {
  const files = db('uploadFiles')
    .whereRaw('upload_files.upload_id = uploads.id')
    .whereRaw(UNSEEN)
    .whereRaw(`finished_at < now() - ? * interval '1 second'`, [seconds])
    .select(db.raw('1'));
  return db<UploadRow>('uploads')
    .where({ status: 'uploading' })
    .whereExists(files)
    .orderBy('id')
    .limit(limit)
    .select('uploads.*');
}
