import type { FileFinding, FileKind, FileStatus, UploadProblem, UploadStatus } from '../contract/uploads.js';
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
  /** Written by the intake (a wrapped image or note), and no file of the sender's. */
  isDerived: boolean;
  status: FileStatus;
  /** Was looked at while the rest of its upload still arrived. */
  seenEarly: boolean;
  /** Null until the worker has looked into it. */
  kind: FileKind | null;
  problem: UploadProblem | null;
  findings: FileFinding[];
  /** Of what arrived; null until the worker has read it, and where the sender has announced none. */
  md5: Buffer | null;
  /** Of what arrived; null until the worker has read it. */
  sha256: Buffer | null;
  announcedMd5: Buffer | null;
  announcedSha256: Buffer | null;
  createdAt: Date;
  finishedAt: Date | null;
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

/** The sender's files in the order they were created; without slices that wait to be joined. */
export async function listUploadFiles(db: Queryable, uploadId: string): Promise<UploadFileRow[]> {
  return db<UploadFileRow>('uploadFiles')
    .where({ uploadId, isPartial: false, isDerived: false })
    .orderBy('id');
}

export async function updateUploadFile(
  db: Queryable,
  id: string,
  change: Partial<Pick<UploadFileRow, 'size' | 'status' | 'finishedAt' | 'announcedMd5' | 'announcedSha256'>>,
): Promise<void> {
  await db<UploadFileRow>('uploadFiles').where({ id }).update(change);
}

/** What the checks found in a file: accepted, or rejected or ignored with a reason. */
export type FileVerdict = Pick<UploadFileRow, 'id' | 'md5' | 'sha256' | 'problem' | 'findings' | 'kind'> & {
  status: 'accepted' | 'rejected' | 'ignored';
};

const ROWS_PER_UPDATE = 500;

/** Records what was found in files: many in one statement, since an upload of a thousand slices has a thousand. */
export async function recordFileVerdicts(db: Queryable, verdicts: readonly FileVerdict[]): Promise<void> {
  for (let from = 0; from < verdicts.length; from += ROWS_PER_UPDATE) {
    const rows = verdicts.slice(from, from + ROWS_PER_UPDATE);
    await db.raw(
      `UPDATE upload_files AS f
       SET status = v.status, kind = v.kind, md5 = v.md5, sha256 = v.sha256, problem = v.problem::jsonb,
           findings = v.findings::jsonb
       FROM unnest(CAST(:ids AS uuid[]), CAST(:statuses AS text[]), CAST(:kinds AS text[]),
                   CAST(:md5s AS bytea[]), CAST(:sha256s AS bytea[]), CAST(:problems AS text[]),
                   CAST(:findings AS text[])) AS v (id, status, kind, md5, sha256, problem, findings)
       WHERE f.id = v.id`,
      {
        ids: rows.map(({ id }) => id),
        statuses: rows.map(({ status }) => status),
        kinds: rows.map(({ kind }) => kind),
        md5s: rows.map(({ md5 }) => md5),
        sha256s: rows.map(({ sha256 }) => sha256),
        problems: rows.map(({ problem }) => (problem ? JSON.stringify(problem) : null)),
        findings: rows.map(({ findings }) => JSON.stringify(findings)),
      },
    );
  }
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

export interface FileTotals {
  uploadId: string;
  /** Files whose last byte is acknowledged, and their bytes. */
  received: number;
  receivedBytes: number;
  unfinished: number;
  /** Files and files in archives. */
  rejected: number;
  ignored: number;
}

/** Totals of several uploads at once; an upload without files has no entry. */
export async function sumUploadFiles(
  db: Queryable,
  uploadIds: readonly string[],
): Promise<Map<string, FileTotals>> {
  const rows: FileTotals[] = await db('uploadFiles')
    .leftJoin(
      db('archiveEntries as e')
        .join('uploadFiles as f', 'f.id', 'e.uploadFileId')
        .whereIn('f.uploadId', [...uploadIds])
        .groupBy('e.uploadFileId')
        .select(
          'e.uploadFileId',
          db.raw(`count(*) FILTER (WHERE e.status = 'rejected') AS entries_rejected`),
          db.raw(`count(*) FILTER (WHERE e.status = 'ignored') AS entries_ignored`),
        )
        .as('inside'),
      'inside.uploadFileId',
      'uploadFiles.id',
    )
    .whereIn('uploadId', [...uploadIds])
    .where({ isDerived: false })
    .groupBy('uploadId')
    .select(
      'uploadId',
      db.raw(`count(*) FILTER (WHERE status <> 'uploading') AS received`),
      db.raw(`coalesce(sum(size) FILTER (WHERE status <> 'uploading'), 0)::bigint AS received_bytes`),
      db.raw(`count(*) FILTER (WHERE status = 'uploading' AND NOT is_partial) AS unfinished`),
      // An archive that was opened counts with what it held, and not once more by itself.
      db.raw(
        `CAST(sum(coalesce(entries_rejected, CASE status WHEN 'rejected' THEN 1 ELSE 0 END)) AS integer) AS rejected`,
      ),
      db.raw(
        `CAST(sum(coalesce(entries_ignored, CASE status WHEN 'ignored' THEN 1 ELSE 0 END)) AS integer) AS ignored`,
      ),
    );
  return new Map(rows.map((row) => [row.uploadId, row]));
}

/**
 * True unless the sender announced another digest than that of what arrived, or one that was not taken of it. While
 * nothing was taken, or where the bytes are gone, nothing is known against it.
 */
export function isAsAnnounced(
  file: Pick<UploadFileRow, 'md5' | 'sha256' | 'announcedMd5' | 'announcedSha256'>,
): boolean {
  const { md5, sha256, announcedMd5, announcedSha256 } = file;
  if (sha256 === null) return true;
  const agree = (found: Buffer | null, announced: Buffer | null) =>
    announced === null || (found?.equals(announced) ?? false);
  return agree(md5, announcedMd5) && agree(sha256, announcedSha256);
}
