import type { CompleteUploadRequest } from '@relaypacs/core/contract/uploads.js';
import { recordMd5 } from '@relaypacs/core/db/announced-digests.js';
import { listUploadFiles, type UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { md5OfFile } from '@relaypacs/core/storage/file-md5.js';
import { ObjectMissing } from '@relaypacs/core/storage/object-storage.js';
import type { FileOpener } from '@relaypacs/core/storage/uploaded-files.js';
import { HttpProblem } from '../http/http-problem.js';

/**
 * Takes the MD5 of files that were looked at when nobody had announced one, so that what is announced now can be compared.
 *
 * @throws HttpProblem CHECKSUM_CONFLICT when the bytes of such a file are not kept here any more
 */
export async function takeAnnouncedMd5(
  { db, files }: Pick<Platform, 'db' | 'files'>,
  uploadId: string,
  announced: CompleteUploadRequest['files'],
): Promise<void> {
  const said = new Map((announced ?? []).map(({ id, md5 }) => [id, md5]));
  const rows = await listUploadFiles(db, uploadId);
  const isAnnounced = (row: UploadFileRow) => said.get(row.id) !== undefined || row.announcedMd5 !== null;
  for (const { id } of rows.filter((row) => isUntaken(row) && isAnnounced(row))) {
    const md5 = await readOnce(files, id).catch((error: unknown) => {
      throw error instanceof ObjectMissing ? noLongerHere(id) : error;
    });
    await recordMd5(db, id, md5);
  }
}

/** Files that are read now: who asks again meanwhile waits for the same reading. */
const underWay = new Map<string, Promise<Buffer>>();

function readOnce(files: FileOpener, id: string): Promise<Buffer> {
  const reading = underWay.get(id) ?? md5OfFile(files, id).finally(() => underWay.delete(id));
  underWay.set(id, reading);
  return reading;
}

const isUntaken = ({ md5, sha256 }: UploadFileRow) => sha256 !== null && md5 === null;

/** True of a file whose announced MD5 cannot be compared yet. */
export const lacksMd5 = (file: UploadFileRow) => isUntaken(file) && file.announcedMd5 !== null;

const noLongerHere = (fileId: string) =>
  new HttpProblem(
    'CHECKSUM_CONFLICT',
    'The bytes of a file are no longer kept here, so the MD5 you announce cannot be compared with them. Announce its SHA-256: that was taken when it was checked.',
    { fileId },
  );
