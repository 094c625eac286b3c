import type { Actor } from '@relaypacs/core/db/audit-events.js';
import { receiveUploadFile } from '@relaypacs/core/db/received-bytes.js';
import type { Transact, UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import { deleteUploadFiles, findUploadFile } from '@relaypacs/core/db/upload-files.js';
import { announceUpload, lockUpload, setTotalBytes, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { type EarlyRules, mayGoEarly } from '@relaypacs/core/domain/early-delivery.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { arrivedFilesJob } from '@relaypacs/core/queue/jobs.js';
import { receiveUpload } from '@relaypacs/core/uploads/receive-upload.js';
import { HttpProblem } from '../http/http-problem.js';
import type { TusRequest } from './tus-request.js';

export interface FinishDeps {
  transact: Transact;
  /** Whether images may go while the rest of their upload still arrives. */
  config: EarlyRules;
}

export interface FinishedFile {
  /** Keys of objects nobody needs any more. */
  abandoned: string[];
  /** The file itself was not wanted any more. */
  problem: HttpProblem | undefined;
}

const nothingToDo: FinishedFile = { abandoned: [], problem: undefined };

/**
 * Marks a file as received when its last byte is acknowledged, and with the last file the whole upload: file row,
 * status, audit and job in one transaction. Doing it twice changes nothing. A slice waits for its join.
 */
export async function finishFile(
  { transact, config }: FinishDeps,
  { upload: known, actor }: Pick<TusRequest, 'upload' | 'actor'>,
  fileId: string,
  size: number,
): Promise<FinishedFile> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, known.id);
    if (upload && takesFiles(upload.status))
      return receiveFile(unit, upload, { id: fileId, size }, actor, config);
    const file = await findUploadFile(unit.trx, fileId);
    if (file && file.status !== 'uploading') return nothingToDo;
    const problem = new HttpProblem('GONE', 'The upload takes no more files; this one is not needed.');
    return { abandoned: [], problem };
  });
}

/** The same within a transaction that holds the upload. */
export async function receiveFile(
  unit: UnitOfWork,
  upload: UploadRow,
  { id: fileId, size }: { id: string; size: number },
  actor: Actor,
  config: FinishDeps['config'],
): Promise<FinishedFile> {
  const before = await receiveUploadFile(unit.trx, upload, fileId, size);
  if (!before.done) return refuseFile(unit, upload, fileId);
  const received = before.received + 1;
  const receivedBytes = before.receivedBytes + size;
  if (received < upload.fileCount) {
    const urgency = mayGoEarly(upload, config) ? 'early' : 'ahead';
    if (!before.hasUnseen) unit.enqueue(arrivedFilesJob(upload, received, urgency));
    announceUpload(unit, upload);
    return nothingToDo;
  }
  if (upload.isImplicit) await setTotalBytes(unit.trx, upload.id, receivedBytes);
  const abandoned = await receiveUpload(unit, upload, { received, receivedBytes }, actor);
  return { abandoned, problem: undefined };
}

/** Finds out why a file was not received. */
async function refuseFile(unit: UnitOfWork, upload: UploadRow, fileId: string): Promise<FinishedFile> {
  const file = await findUploadFile(unit.trx, fileId);
  if (!file) return { abandoned: [], problem: new HttpProblem('GONE', 'This file was removed.') };
  if (file.isPartial || file.status !== 'uploading') return nothingToDo;
  const problem = new HttpProblem(
    'UPLOAD_TOO_LARGE',
    `More arrived than the ${upload.fileCount} files and ${upload.totalBytes} bytes announced; this file was not kept.`,
  );
  return { abandoned: await deleteUploadFiles(unit.trx, [fileId]), problem };
}
