import type { Database } from '@relaypacs/core/db/database.js';
import {
  insertFileThatFits,
  insertUploadFile,
  type NewUploadFile,
  type UnfinishedLimits,
} from '@relaypacs/core/db/new-upload-files.js';
import { holdTransactionLock } from '@relaypacs/core/db/transaction-lock.js';
import type { Transact, UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import {
  deleteUploadFiles,
  listUnfinishedFiles,
  sumUploadFiles,
  type UploadFileRow,
} from '@relaypacs/core/db/upload-files.js';
import { changeUploadStatus, insertUpload, lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { HttpProblem } from '../http/http-problem.js';
import type { FileMetadata } from './metadata.js';
import { findEarlierCreation } from './repeated-creation.js';
import type { TusRequest } from './tus-request.js';

/** Room for creations that are sent twice. */
export const UNFINISHED: UnfinishedLimits = { byteShare: 2, spareFiles: 16, slices: 1000 };

export interface NewFile {
  id: string;
  /** Bytes; null while the client has not said (creation-defer-length). */
  size: number | null;
  metadata: FileMetadata;
  /** The `Upload-Metadata` header as it came. */
  tusMetadata: string | null;
  /** A slice that will be joined with others. */
  isPartial: boolean;
}

/** @throws HttpProblem UPLOAD_TOO_LARGE or TOO_MANY_FILES */
export function assertFits(upload: UploadRow, received: number, receivedBytes: number, size: number): void {
  if (receivedBytes + size > upload.totalBytes) {
    throw new HttpProblem(
      'UPLOAD_TOO_LARGE',
      `This file would make the upload larger than the ${upload.totalBytes} bytes announced. What has arrived is safe.`,
      { totalBytes: upload.totalBytes, receivedBytes },
    );
  }
  if (received >= upload.fileCount) {
    throw new HttpProblem(
      'TOO_MANY_FILES',
      `The upload was announced with ${upload.fileCount} files. What has arrived is safe.`,
      { fileCount: upload.fileCount, received },
    );
  }
}

/**
 * Keeps what one upload can put on the disk bounded: where too much is begun and unfinished, the creations that
 * look like earlier tries of this one are dropped first, then the oldest.
 *
 * @returns keys of objects nobody needs any more
 */
async function makeRoom(unit: UnitOfWork, upload: UploadRow, file: NewFile): Promise<string[]> {
  const unfinished = await listUnfinishedFiles(unit.trx, upload.id);
  const ofThisKind = unfinished.filter(({ isPartial }) => isPartial === file.isPartial);
  let bytes = unfinished.reduce((sum, row) => sum + (row.size ?? row.bytesReceived), 0) + (file.size ?? 0);
  let count = ofThisKind.length + 1;
  const mostFiles = file.isPartial ? UNFINISHED.slices : upload.fileCount + UNFINISHED.spareFiles;
  const isEarlierTry = (row: UploadFileRow) =>
    !row.isPartial &&
    row.size === file.size &&
    row.filename === file.metadata.filename &&
    row.relativePath === (file.metadata.relativePath ?? null);
  const dropped: string[] = [];
  const candidates = [...unfinished.filter(isEarlierTry), ...unfinished.filter((row) => !isEarlierTry(row))];
  for (const row of candidates) {
    if (bytes <= upload.totalBytes * UNFINISHED.byteShare && count <= mostFiles) break;
    dropped.push(row.id);
    bytes -= row.size ?? row.bytesReceived;
    if (row.isPartial === file.isPartial) count -= 1;
  }
  return deleteUploadFiles(unit.trx, dropped);
}

/** Holds off other creations by this client's id, until the transaction ends. */
export function holdCreation(
  unit: UnitOfWork,
  { userId }: TusRequest['actor'],
  clientId: string,
): Promise<void> {
  return holdTransactionLock(unit.trx, `create ${userId} ${clientId}`);
}

/** Writes down an upload that is made together with its file. */
export async function beginImplicit(
  unit: UnitOfWork,
  { actor, implicit }: TusRequest & { implicit: UploadRow },
  clientId: string | undefined,
): Promise<UploadRow> {
  // The same creation sent twice at once: the second waits here, and then finds the file of the first.
  if (clientId !== undefined) await holdCreation(unit, actor, clientId);
  const upload = await insertUpload(unit.trx, implicit);
  unit.audit({
    actor,
    action: 'upload.created',
    objectType: 'upload',
    objectId: upload.id,
    detail: { fileCount: upload.fileCount, totalBytes: upload.totalBytes, implicit: true },
  });
  return upload;
}

/**
 * Records a new file of an upload before any byte of it is written.
 *
 * @returns keys of objects that are not wanted any more
 * @throws HttpProblem UPLOAD_TOO_LARGE, TOO_MANY_FILES, UPLOAD_NOT_OPEN, or FILE_LOCKED while the same creation runs
 */
export async function createFile(
  { db, transact }: { db: Database; transact: Transact },
  request: TusRequest,
  file: NewFile,
): Promise<string[]> {
  const { id, size, isPartial, tusMetadata } = file;
  const { clientId = null, filename, relativePath = null, filetype = null } = file.metadata;
  const described = { id, clientId, filename, relativePath, filetype, tusMetadata, size, isPartial };
  const row = { ...described, uploadId: request.upload.id };
  // By far the most creations: one of many files of an upload that is under way.
  if (!request.implicit && (await insertFileThatFits(db, row, UNFINISHED))) return [];
  return transact((unit) => createFileAlone(unit, request, file, row));
}

/** The same with the upload held: makes room, begins the upload, or finds out why the file cannot be taken. */
async function createFileAlone(
  unit: UnitOfWork,
  request: TusRequest,
  file: NewFile,
  row: NewUploadFile,
): Promise<string[]> {
  const { implicit, actor } = request;
  const { clientId } = file.metadata;
  const upload = implicit
    ? await beginImplicit(unit, { ...request, implicit }, clientId)
    : await lockUpload(unit.trx, request.upload.id);
  if (!upload || !takesFiles(upload.status)) {
    throw new HttpProblem('UPLOAD_NOT_OPEN', 'The upload takes no more files. What has arrived is safe.');
  }
  const size = file.size ?? undefined;
  if (clientId !== undefined && (await findEarlierCreation(unit.trx, request, clientId, size))) {
    throw new HttpProblem('FILE_LOCKED', 'This file is being created by another request. Try again.');
  }
  const totals = (await sumUploadFiles(unit.trx, [upload.id])).get(upload.id);
  assertFits(upload, totals?.received ?? 0, totals?.receivedBytes ?? 0, file.size ?? 0);
  const dropped = await makeRoom(unit, upload, file);
  await insertUploadFile(unit.trx, row);
  if (upload.status === 'created') {
    await changeUploadStatus(unit, { uploadId: upload.id, to: 'uploading', actor });
  }
  return dropped;
}
