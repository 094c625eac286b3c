import type { Segment } from '../storage/object-storage.js';
import { prepared, type Queryable } from './database.js';
import type { UploadRow } from './uploads.js';

export interface ReceivedFile {
  /** False when it could not be received: it does not fit, or is not there, or was received before, or is a slice. */
  done: boolean;
  /** Files received before, and their bytes. */
  received: number;
  receivedBytes: number;
  /** Some of those were not looked at yet: a job that will find all of them is on its way. */
  hasUnseen: boolean;
}

/** Marks a file as received if it fits into its upload, whose row the transaction must hold. */
export async function receiveUploadFile(
  trx: Queryable,
  upload: Pick<UploadRow, 'id' | 'fileCount' | 'totalBytes'>,
  fileId: string,
  size: number,
): Promise<ReceivedFile> {
  const { rows }: { rows: ReceivedFile[] } = await trx
    .raw(
      `WITH before AS (
       SELECT count(*) FILTER (WHERE status <> 'uploading') AS received,
              CAST(coalesce(sum(size) FILTER (WHERE status <> 'uploading'), 0) AS bigint) AS received_bytes,
              coalesce(bool_or(status = 'received' AND NOT seen_early AND NOT is_partial AND NOT is_derived), false)
                AS has_unseen
       FROM upload_files WHERE upload_id = :uploadId
     ), done AS (
       UPDATE upload_files f SET status = 'received', size = :size, finished_at = now() FROM before
       WHERE f.id = :fileId AND f.upload_id = :uploadId AND f.status = 'uploading' AND NOT f.is_partial
         AND before.received < :fileCount AND before.received_bytes + :size <= :totalBytes
       RETURNING f.id
     ) SELECT received, received_bytes, has_unseen, EXISTS (SELECT FROM done) AS done FROM before`,
      { uploadId: upload.id, fileCount: upload.fileCount, totalBytes: upload.totalBytes, fileId, size },
    )
    .options(prepared('receive file'));
  return rows[0] as ReceivedFile;
}

/** More bytes of a file, durable in the storage, that are to be acknowledged. */
export interface ReceivedBytes {
  fileId: string;
  /** Token of the lease under which they were written. */
  leaseToken: number;
  /** The file's bytes before and after. */
  from: number;
  to: number;
  /** Objects begun with them. */
  segments: readonly Segment[];
}

/**
 * Records bytes that have become durable: from here on they are acknowledged.
 *
 * @param all - at most one entry for a file
 * @returns the ids of the files whose bytes count. Those of others must not: the lease is lost, somebody else wrote, or
 *   the upload takes no more files
 */
export async function recordReceivedBytes(
  db: Queryable,
  all: readonly ReceivedBytes[],
): Promise<Set<string>> {
  const segments = all.flatMap(({ fileId, segments }) => segments.map((segment) => ({ fileId, ...segment })));
  const { rows }: { rows: { id: string }[] } = await db
    .raw(
      `WITH held AS MATERIALIZED (
       SELECT id FROM upload_files WHERE id = ANY(CAST(:fileIds AS uuid[])) ORDER BY id FOR NO KEY UPDATE
     ), recorded AS (
       UPDATE upload_files f SET bytes_received = r.end
       FROM unnest(CAST(:fileIds AS uuid[]), CAST(:tokens AS bigint[]), CAST(:froms AS bigint[]),
                   CAST(:tos AS bigint[])) AS r (file_id, token, start, "end"),
            held, uploads u, file_leases l
       WHERE f.id = r.file_id AND held.id = f.id AND f.bytes_received = r.start AND f.status = 'uploading'
         AND u.id = f.upload_id AND u.status IN ('created', 'uploading')
         AND l.file_id = f.id AND l.token = r.token
       RETURNING f.id
     ), begun AS (
       INSERT INTO file_segments (file_id, start, key)
       SELECT recorded.id, s.start, s.key
       FROM unnest(CAST(:segmentFileIds AS uuid[]), CAST(:starts AS bigint[]), CAST(:keys AS text[]))
              AS s (file_id, start, key) JOIN recorded ON recorded.id = s.file_id
     ) SELECT id FROM recorded`,
      {
        fileIds: all.map(({ fileId }) => fileId),
        tokens: all.map(({ leaseToken }) => leaseToken),
        froms: all.map(({ from }) => from),
        tos: all.map(({ to }) => to),
        segmentFileIds: segments.map(({ fileId }) => fileId),
        starts: segments.map(({ start }) => start),
        keys: segments.map(({ key }) => key),
      },
    )
    .options(prepared('record bytes'));
  return new Set(rows.map(({ id }) => id));
}

/** Bytes the unfinished files of an upload have, or will have where their length is known. */
export async function sumUnfinishedBytes(db: Queryable, uploadId: string): Promise<number> {
  const { rows }: { rows: { bytes: number }[] } = await db.raw(
    `SELECT CAST(coalesce(sum(coalesce(size, bytes_received)), 0) AS bigint) AS bytes
     FROM upload_files WHERE upload_id = ? AND status = 'uploading'`,
    [uploadId],
  );
  return rows[0]?.bytes ?? 0;
}
