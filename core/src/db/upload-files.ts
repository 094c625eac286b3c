import type { FileFinding, FileStatus, UploadProblem, UploadStatus } from '../contract/uploads.js';
import type { Segment } from '../storage/object-storage.js';
import { prepared, type Queryable } from './database.js';
import { listObjectKeys } from './file-segments.js';
import type { UploadRow } from './uploads.js';

export interface UploadFileRow {
  id: string;
  uploadId: string;
  clientId: string | null;
  filename: string;
  relativePath: string | null;
  filetype: string | null;
  /** The Upload-Metadata header as it came. */
  tusMetadata: string | null;
  /** Bytes; null while the client has not said (creation-defer-length). */
  size: number | null;
  /** Bytes that were acknowledged. */
  bytesReceived: number;
  /** A slice that waits to be joined with others (tus, Concatenation); not a file of the upload. */
  isPartial: boolean;
  /** The slices it was joined from, in order. */
  joinedFrom: string[] | null;
  status: FileStatus;
  problem: UploadProblem | null;
  findings: FileFinding[];
  /** Of what arrived; null until the worker has read it. */
  md5: Buffer | null;
  sha256: Buffer | null;
  announcedMd5: Buffer | null;
  announcedSha256: Buffer | null;
  createdAt: Date;
  finishedAt: Date | null;
}

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

export async function findUploadFile(db: Queryable, id: string): Promise<UploadFileRow | undefined> {
  return db<UploadFileRow>('uploadFiles').where({ id }).first();
}

/** What a tus request needs to know of a file and its upload. */
export interface FileWithUpload {
  file: Pick<
    UploadFileRow,
    'id' | 'status' | 'size' | 'bytesReceived' | 'isPartial' | 'joinedFrom' | 'tusMetadata'
  >;
  upload: Pick<UploadRow, 'id' | 'userId' | 'status' | 'totalBytes' | 'fileCount' | 'expiresAt'>;
}

interface FileWithUploadRow extends Omit<FileWithUpload['upload'], 'id' | 'status'> {
  id: string;
  status: FileStatus;
  size: number | null;
  bytesReceived: number;
  isPartial: boolean;
  joinedFrom: string[] | null;
  tusMetadata: string | null;
  uploadId: string;
  uploadStatus: UploadStatus;
}

/** Files and their uploads in one query, by the files' ids: it runs with every chunk of every upload. */
export async function findFilesWithUploads(
  db: Queryable,
  fileIds: readonly string[],
): Promise<Map<string, FileWithUpload>> {
  const { rows }: { rows: FileWithUploadRow[] } = await db
    .raw(
      `SELECT f.id, f.status, f.size, f.bytes_received, f.is_partial, f.joined_from, f.tus_metadata,
            u.id AS upload_id, u.user_id, u.status AS upload_status, u.total_bytes, u.file_count, u.expires_at
     FROM upload_files f JOIN uploads u ON u.id = f.upload_id WHERE f.id = ANY(?)`,
      [[...fileIds]],
    )
    .options(prepared('find files'));
  return new Map(
    rows.map(({ uploadId, userId, uploadStatus, totalBytes, fileCount, expiresAt, ...file }) => {
      const upload = { id: uploadId, userId, status: uploadStatus, totalBytes, fileCount, expiresAt };
      return [file.id, { file, upload }];
    }),
  );
}

export async function findFileWithUpload(db: Queryable, fileId: string): Promise<FileWithUpload | undefined> {
  return (await findFilesWithUploads(db, [fileId])).get(fileId);
}

/** The file of an upload that the client gave this id. */
export async function findFileIdByClientId(
  db: Queryable,
  uploadId: string,
  clientId: string,
): Promise<string | undefined> {
  const row = await db<UploadFileRow>('uploadFiles').where({ uploadId, clientId }).first('id');
  return row?.id;
}

/**
 * The same among the files an account sent without announcing an upload: the newest, of those that may still reach the
 * PACS or have.
 */
export async function findImplicitFileIdByClientId(
  db: Queryable,
  userId: string,
  clientId: string,
): Promise<string | undefined> {
  const row = await db('uploadFiles as f')
    .join('uploads as u', 'u.id', 'f.uploadId')
    .where({ 'f.clientId': clientId, 'u.userId': userId, 'u.isImplicit': true })
    .whereNotIn('u.status', ['cancelled', 'expired', 'rejected', 'failed'])
    .orderBy('f.id', 'desc')
    .first('f.id');
  return row?.id;
}

/** In the order they were created; without slices that wait to be joined. */
export async function listUploadFiles(db: Queryable, uploadId: string): Promise<UploadFileRow[]> {
  return db<UploadFileRow>('uploadFiles').where({ uploadId, isPartial: false }).orderBy('id');
}

export async function updateUploadFile(
  db: Queryable,
  id: string,
  change: Partial<Pick<UploadFileRow, 'size' | 'status' | 'finishedAt' | 'announcedMd5' | 'announcedSha256'>>,
): Promise<void> {
  await db<UploadFileRow>('uploadFiles').where({ id }).update(change);
}

export interface ReceivedFile {
  /** False when it could not be received: it does not fit, or is not there, or was received before, or is a slice. */
  done: boolean;
  /** Files received before, and their bytes. */
  received: number;
  receivedBytes: number;
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
              CAST(coalesce(sum(size) FILTER (WHERE status <> 'uploading'), 0) AS bigint) AS received_bytes
       FROM upload_files WHERE upload_id = :uploadId
     ), done AS (
       UPDATE upload_files f SET status = 'received', size = :size, finished_at = now() FROM before
       WHERE f.id = :fileId AND f.upload_id = :uploadId AND f.status = 'uploading' AND NOT f.is_partial
         AND before.received < :fileCount AND before.received_bytes + :size <= :totalBytes
       RETURNING f.id
     ) SELECT received, received_bytes, EXISTS (SELECT FROM done) AS done FROM before`,
      { uploadId: upload.id, fileCount: upload.fileCount, totalBytes: upload.totalBytes, fileId, size },
    )
    .options(prepared('receive file'));
  return rows[0] as ReceivedFile;
}

/** What the checks found in a file: accepted, or rejected with a problem. */
export async function recordUploadFileVerdict(
  db: Queryable,
  id: string,
  verdict: Pick<UploadFileRow, 'md5' | 'sha256' | 'problem' | 'findings'> & {
    status: 'accepted' | 'rejected';
  },
): Promise<void> {
  await db('uploadFiles')
    .where({ id })
    .update({ ...verdict, findings: JSON.stringify(verdict.findings) });
}

/** Files of an upload whose last byte has not come yet, and slices that are not joined yet; the oldest first. */
export async function listUnfinishedFiles(db: Queryable, uploadId: string): Promise<UploadFileRow[]> {
  return db<UploadFileRow>('uploadFiles').where({ uploadId, status: 'uploading' }).orderBy('id');
}

/** The file that was joined from these slices before. */
export async function findJoinedFile(
  db: Queryable,
  partialIds: readonly string[],
): Promise<UploadFileRow | undefined> {
  return db<UploadFileRow>('uploadFiles')
    .whereRaw('joined_from = ?::uuid[]', [[...partialIds]])
    .first();
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

/**
 * Deletes the rows of files.
 *
 * @returns keys of their objects, which may be removed once the transaction is committed
 */
export async function deleteUploadFiles(db: Queryable, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  // Whoever records bytes of them now must come before the keys are read, or find the rows gone.
  await db<UploadFileRow>('uploadFiles')
    .whereIn('id', [...ids])
    .orderBy('id')
    .forUpdate()
    .select('id');
  const keys = await listObjectKeys(db, ids);
  await db<UploadFileRow>('uploadFiles')
    .whereIn('id', [...ids])
    .delete();
  return keys;
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

export interface FileTotals {
  uploadId: string;
  /** Files whose last byte is acknowledged, and their bytes. */
  received: number;
  receivedBytes: number;
  unfinished: number;
  rejected: number;
}

/** Totals of several uploads at once; an upload without files has no entry. */
export async function sumUploadFiles(
  db: Queryable,
  uploadIds: readonly string[],
): Promise<Map<string, FileTotals>> {
  const rows: FileTotals[] = await db('uploadFiles')
    .whereIn('uploadId', [...uploadIds])
    .groupBy('uploadId')
    .select(
      'uploadId',
      db.raw(`count(*) FILTER (WHERE status <> 'uploading') AS received`),
      db.raw(`coalesce(sum(size) FILTER (WHERE status <> 'uploading'), 0)::bigint AS received_bytes`),
      db.raw(`count(*) FILTER (WHERE status = 'uploading' AND NOT is_partial) AS unfinished`),
      db.raw(`count(*) FILTER (WHERE status = 'rejected') AS rejected`),
    );
  return new Map(rows.map((row) => [row.uploadId, row]));
}

/** True unless the sender announced another digest than that of what arrived. */
export function isAsAnnounced(
  file: Pick<UploadFileRow, 'md5' | 'sha256' | 'announcedMd5' | 'announcedSha256'>,
): boolean {
  const agree = (found: Buffer | null, announced: Buffer | null) =>
    found === null || announced === null || announced.equals(found);
  return agree(file.md5, file.announcedMd5) && agree(file.sha256, file.announcedSha256);
}
