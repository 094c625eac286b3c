import type { Queryable } from './database.js';
import type { UploadFileRow } from './upload-files.js';
import type { UploadRow } from './uploads.js';

const unseen = (db: Queryable) =>
  db<UploadFileRow>('uploadFiles').where({
    status: 'received',
    seenEarly: false,
    isPartial: false,
    isDerived: false,
  });

/**
 * Takes files that have arrived to be looked at for early delivery, each once: one over which a process ends is not
 * looked at again before the whole upload is.
 *
 * @param trx - must hold the upload
 */
export async function takeUnseenFiles(
  trx: Queryable,
  uploadId: string,
  limit: number,
): Promise<UploadFileRow[]> {
  const next = unseen(trx).where({ uploadId }).orderBy('id').limit(limit).select('id');
  const rows = await trx<UploadFileRow>('uploadFiles')
    .whereIn('id', next)
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

/** Whether a file besides this one waits to be looked at early: then a job that will find both is on its way. */
export async function hasUnseenBeside(trx: Queryable, uploadId: string, fileId: string): Promise<boolean> {
  return (await unseen(trx).where({ uploadId }).whereNot({ id: fileId }).first('id')) !== undefined;
}

/** STAT uploads with files that arrived more than `seconds` ago and were not looked at, and how many files they have. */
export async function listUnseenUploads(
  db: Queryable,
  seconds: number,
  limit: number,
): Promise<Array<UploadRow & { received: number }>> {
  const files = unseen(db)
    .whereRaw('upload_files.upload_id = uploads.id')
    .whereRaw(`finished_at < now() - ? * interval '1 second'`, [seconds])
    .select(db.raw('1'));
  const received = db('uploadFiles')
    .whereRaw('upload_files.upload_id = uploads.id')
    .whereNot({ status: 'uploading' })
    .count()
    .as('received');
  return db<UploadRow>('uploads')
    .where({ status: 'uploading', serviceLevel: 'stat' })
    .whereExists(files)
    .orderBy('id')
    .limit(limit)
    .select('uploads.*', received);
}
