import { prepared, type Queryable } from './database.js';
import type { UploadFileRow } from './upload-files.js';

export type NewUploadFile = Pick<
  UploadFileRow,
  | 'id'
  | 'uploadId'
  | 'clientId'
  | 'filename'
  | 'relativePath'
  | 'filetype'
  | 'tusMetadata'
  | 'size'
  | 'isPartial'
>;

export async function insertUploadFile(
  db: Queryable,
  file: NewUploadFile & Partial<Pick<UploadFileRow, 'bytesReceived' | 'joinedFrom'>>,
): Promise<void> {
  await db('uploadFiles').insert({ ...file, status: 'uploading' });
}

/** What may be begun in one upload besides what has been received. */
export interface UnfinishedLimits {
  /** Multiple of the upload's announced bytes; a file of unknown length counts with what it has. */
  byteShare: number;
  /** Files beyond the announced number. */
  spareFiles: number;
  /** Slices that are not joined yet. */
  slices: number;
}

/**
 * Writes a new file of an upload that is under way, if it fits, in one statement that lets other creations of the
 * same upload go on beside it.
 *
 * @returns false when it does not fit, the upload is in another status, or its `clientId` is taken
 */
export async function insertFileThatFits(
  db: Queryable,
  file: NewUploadFile,
  { byteShare, spareFiles, slices }: UnfinishedLimits,
): Promise<boolean> {
  // The upload's status must not change under it; FOR SHARE holds off whoever ends the upload.
  const { rows }: { rows: unknown[] } = await db
    .raw(
      `INSERT INTO upload_files (id, upload_id, client_id, filename, relative_path, filetype, tus_metadata, size,
                               is_partial, status)
     SELECT :id, u.id, :clientId, :filename, :relativePath, :filetype, :tusMetadata, CAST(:size AS bigint),
            CAST(:isPartial AS boolean), 'uploading'
     FROM uploads u, LATERAL (
       SELECT count(*) FILTER (WHERE status <> 'uploading') AS received,
              coalesce(sum(size) FILTER (WHERE status <> 'uploading'), 0) AS received_bytes,
              count(*) FILTER (WHERE status = 'uploading' AND NOT is_partial) AS begun,
              count(*) FILTER (WHERE is_partial) AS slices,
              coalesce(sum(coalesce(size, bytes_received)) FILTER (WHERE status = 'uploading'), 0) AS begun_bytes
       FROM upload_files WHERE upload_id = u.id
     ) t
     WHERE u.id = :uploadId AND u.status = 'uploading'
       AND t.received < u.file_count
       AND t.received_bytes + coalesce(CAST(:size AS bigint), 0) <= u.total_bytes
       AND t.begun_bytes + coalesce(CAST(:size AS bigint), 0) <= u.total_bytes * :byteShare
       AND CASE WHEN CAST(:isPartial AS boolean) THEN t.slices < :slices
                ELSE t.begun < u.file_count + :spareFiles END
     FOR SHARE OF u
     ON CONFLICT DO NOTHING RETURNING id`,
      { ...file, byteShare, spareFiles, slices },
    )
    .options(prepared('insert file'));
  return rows.length === 1;
}
