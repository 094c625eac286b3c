import type { CompleteUploadRequest, UploadStatus } from '@relaypacs/core/contract/uploads.js';
import { recordAnnouncedDigests } from '@relaypacs/core/db/announced-digests.js';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import { isAsAnnounced, listUploadFiles, type UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import { examineAgain, lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { receiveUpload } from '@relaypacs/core/uploads/receive-upload.js';
import { HttpProblem, notFound } from '../http/http-problem.js';
import { lacksMd5, takeAnnouncedMd5 } from './take-announced-md5.js';

const ON_ITS_WAY: readonly UploadStatus[] = ['received', 'processing', 'delivering', 'delivered'];

const digest = (hex: string | undefined) => (hex === undefined ? undefined : Buffer.from(hex, 'hex'));

/** The files as they are, with the digests the sender announces now. */
function withAnnounced(
  files: readonly UploadFileRow[],
  announced: CompleteUploadRequest['files'],
): UploadFileRow[] {
  const byId = new Map(files.map((file) => [file.id, file]));
  const said = new Map((announced ?? []).map((entry) => [entry.id, entry]));
  return [...said.values()].map(({ id, size, md5, sha256 }) => {
    const file = byId.get(id);
    if (!file) throw new HttpProblem('CHECKSUM_CONFLICT', `The upload has no file ${id}.`, { fileId: id });
    if (file.status !== 'uploading' && file.size !== size) {
      throw new HttpProblem(
        'CHECKSUM_CONFLICT',
        `The file has ${file.size} bytes here, but ${size} were announced. Cancel the upload and send it again.`,
        { fileId: id },
      );
    }
    return {
      ...file,
      announcedMd5: digest(md5) ?? file.announcedMd5,
      announcedSha256: digest(sha256) ?? file.announcedSha256,
    };
  });
}

function assertAllArrived(upload: UploadRow, files: readonly UploadFileRow[], sendIncomplete: boolean): void {
  const arrived = files.filter((file) => file.status !== 'uploading').length;
  if (arrived >= upload.fileCount || (sendIncomplete && arrived > 0)) return;
  throw new HttpProblem(
    'FILES_INCOMPLETE',
    `${arrived} of ${upload.fileCount} files have arrived and are safe. Send the others, then complete again.`,
    {
      received: arrived,
      expected: upload.fileCount,
      missing: files
        .filter((file) => file.status === 'uploading')
        .map((file) => ({ id: file.id, filename: file.filename, size: file.size })),
    },
  );
}

/** Digests that come when the files were checked already are compared at once. */
function assertAsAnnounced(files: readonly UploadFileRow[]): void {
  const wrong = files.find((file) => !isAsAnnounced(file));
  if (!wrong) return;
  throw new HttpProblem(
    'CHECKSUM_CONFLICT',
    'What arrived of a file is not what you announced, and it is already on its way to the PACS. Tell the people who read the study, and send it again.',
    { fileId: wrong.id },
  );
}

interface CompletedUpload {
  upload: UploadRow;
  /** Keys of objects nobody needs any more. */
  abandoned: string[];
}

/**
 * Ends the transfer by the sender's word; with `sendIncomplete` also when fewer files came than were announced. Digests
 * announced here are compared with what arrived: by the worker, or at once where it has been there already. Calling it
 * again changes nothing.
 *
 * @returns the upload, and files begun but never finished whose bytes may go
 * @throws HttpProblem FILES_INCOMPLETE naming what is missing, CHECKSUM_CONFLICT, UPLOAD_NOT_OPEN
 */
export async function completeUpload(
  platform: Pick<Platform, 'transact' | 'db' | 'files'>,
  uploadId: string,
  request: CompleteUploadRequest,
  actor: Actor,
): Promise<CompletedUpload> {
  for (;;) {
    const completed = await platform.transact((unit) => complete(unit, uploadId, request, actor));
    if (completed) return completed;
    await takeAnnouncedMd5(platform, uploadId, request.files);
  }
}

/** @returns undefined when the MD5 of files is needed of which it was not taken */
async function complete(
  unit: UnitOfWork,
  uploadId: string,
  request: CompleteUploadRequest,
  actor: Actor,
): Promise<CompletedUpload | undefined> {
  const upload = await lockUpload(unit.trx, uploadId);
  if (!upload) throw notFound('upload');
  const files = await listUploadFiles(unit.trx, uploadId);
  const announced = withAnnounced(files, request.files);
  const isOnItsWay = ON_ITS_WAY.includes(upload.status);
  if (!isOnItsWay && !takesFiles(upload.status)) {
    throw new HttpProblem(
      'UPLOAD_NOT_OPEN',
      `The upload is ${upload.status}; it can no longer be completed.`,
    );
  }
  if (!isOnItsWay) assertAllArrived(upload, files, request.sendIncomplete ?? false);
  if (announced.some(lacksMd5)) return undefined;
  if (upload.waitingFor === 'sender') {
    await recordAnnouncedDigests(unit.trx, announced);
    // Nothing of it has gone anywhere: it is checked anew, and the file that differs is refused.
    if (!announced.every(isAsAnnounced)) await examineAgain(unit, upload);
    return { upload, abandoned: [] };
  }
  assertAsAnnounced(announced);
  await recordAnnouncedDigests(unit.trx, announced);
  if (isOnItsWay) return { upload, abandoned: [] };
  const received = files.filter((file) => file.status !== 'uploading');
  const receivedBytes = received.reduce((sum, file) => sum + (file.size ?? 0), 0);
  const abandoned = await receiveUpload(unit, upload, { received: received.length, receivedBytes }, actor);
  return { upload: { ...upload, status: 'received' }, abandoned };
}
