import type { FileFinding, FileStatus, UploadProblem } from '../contract/uploads.js';
import type { Queryable } from './database.js';

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

export async function insertUploadFile(
  db: Queryable,
  file: Pick<
    UploadFileRow,
    'id' | 'uploadId' | 'clientId' | 'filename' | 'relativePath' | 'filetype' | 'tusMetadata' | 'size'
  >,
): Promise<void> {
  await db('uploadFiles').insert({ ...file, status: 'uploading' });
}

export async function findUploadFile(db: Queryable, id: string): Promise<UploadFileRow | undefined> {
  return db<UploadFileRow>('uploadFiles').where({ id }).first();
}

export async function findUploadFileByClientId(
  db: Queryable,
  uploadId: string,
  clientId: string,
): Promise<UploadFileRow | undefined> {
  return db<UploadFileRow>('uploadFiles').where({ uploadId, clientId }).first();
}

/** In the order they were created. */
export async function listUploadFiles(db: Queryable, uploadId: string): Promise<UploadFileRow[]> {
  return db<UploadFileRow>('uploadFiles').where({ uploadId }).orderBy('id');
}

export async function updateUploadFile(
  db: Queryable,
  id: string,
  change: Partial<Pick<UploadFileRow, 'size' | 'status' | 'finishedAt' | 'announcedMd5' | 'announcedSha256'>>,
): Promise<void> {
  await db<UploadFileRow>('uploadFiles').where({ id }).update(change);
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

/** Files of an upload whose last byte has not come yet, the oldest first. */
export async function listUnfinishedFiles(db: Queryable, uploadId: string): Promise<UploadFileRow[]> {
  return db<UploadFileRow>('uploadFiles').where({ uploadId, status: 'uploading' }).orderBy('id');
}

/** Which of these ids belong to a file. */
export async function findKnownFileIds(db: Queryable, ids: readonly string[]): Promise<Set<string>> {
  const rows: string[] = await db<UploadFileRow>('uploadFiles')
    .whereIn('id', [...ids])
    .pluck('id');
  return new Set(rows);
}

export async function deleteUploadFile(db: Queryable, id: string): Promise<void> {
  await db<UploadFileRow>('uploadFiles').where({ id }).delete();
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
      db.raw(`count(*) FILTER (WHERE status = 'uploading') AS unfinished`),
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
