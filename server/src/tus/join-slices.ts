import type { Queryable } from '@relaypacs/core/db/database.js';
import { moveSegments } from '@relaypacs/core/db/file-segments.js';
import { isId, newId } from '@relaypacs/core/db/ids.js';
import { insertUploadFile } from '@relaypacs/core/db/new-upload-files.js';
import { holdTransactionLock } from '@relaypacs/core/db/transaction-lock.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import {
  deleteUploadFiles,
  findFileWithUpload,
  findJoinedFile,
  sumUploadFiles,
  type UploadFileRow,
} from '@relaypacs/core/db/upload-files.js';
import { changeUploadStatus, lockUpload, lockUploadsOfFiles } from '@relaypacs/core/db/uploads.js';
import { takesFiles } from '@relaypacs/core/domain/upload-status.js';
import { HttpProblem, notFound } from '../http/http-problem.js';
import { assertTakesBytes } from './access.js';
import { assertFits, beginImplicit, holdCreation } from './create-file.js';
import { TUS_PATH } from './engine.js';
import { type FinishDeps, type FinishedFile, receiveFile } from './finish-file.js';
import type { FileMetadata } from './metadata.js';
import { clientIdTaken, findEarlierCreation } from './repeated-creation.js';
import type { TusRequest } from './tus-request.js';

/** The ids of the slices a join names by their URLs, absolute or relative (tus, Concatenation). */
export function sliceIds(urls: readonly string[]): string[] {
  const ids = urls.map((url) => {
    const path = URL.canParse(url, 'http://any') ? new URL(url, 'http://any').pathname : '';
    const id = path.startsWith(`${TUS_PATH}/`) ? path.slice(TUS_PATH.length + 1) : path;
    if (!isId(id)) throw notFound('slice');
    return id;
  });
  if (ids.length === 0 || new Set(ids).size < ids.length) {
    throw new HttpProblem(
      'MALFORMED_REQUEST',
      'A join names at least one slice, and each only once. Nothing was changed.',
    );
  }
  return ids;
}

type Slice = Pick<UploadFileRow, 'id' | 'size' | 'bytesReceived'> & { uploadId: string };

async function readSlices(unit: UnitOfWork, ids: readonly string[], request: TusRequest): Promise<Slice[]> {
  const slices: Slice[] = [];
  // None of them may be removed while they are joined.
  const uploads = new Map((await lockUploadsOfFiles(unit.trx, ids)).map((upload) => [upload.id, upload]));
  for (const id of ids) {
    const found = await findFileWithUpload(unit.trx, id);
    const upload = found && uploads.get(found.upload.id);
    // Slices of an announced upload belong to it alone; those sent without one, to their sender.
    const isHere =
      upload?.id === request.upload.id || (upload?.isHidden && upload.userId === request.actor.userId);
    if (!found?.file.isPartial || !upload || !isHere) throw notFound('slice');
    assertTakesBytes(upload);
    slices.push({ ...found.file, uploadId: found.upload.id });
  }
  const missing = slices.filter(({ size, bytesReceived }) => size === null || bytesReceived < size);
  if (missing.length > 0) {
    throw new HttpProblem(
      'FILES_INCOMPLETE',
      `${missing.length} of ${slices.length} slices are not complete. What has arrived is safe; send the rest, then join again.`,
      { missing: missing.map(({ id, size, bytesReceived }) => ({ id, size, offset: bytesReceived })) },
    );
  }
  return slices;
}

/** The file that an earlier try of this join has made; its answer got lost. */
async function findEarlierJoin(
  db: Queryable,
  ids: readonly string[],
  actor: TusRequest['actor'],
): Promise<string | undefined> {
  const joined = await findJoinedFile(db, ids);
  const found = joined && (await findFileWithUpload(db, joined.id));
  if (found?.upload.userId !== actor.userId) return undefined;
  assertTakesBytes(found.upload);
  return found.file.id;
}

export interface JoinedFile extends FinishedFile {
  fileId: string;
}

/**
 * Makes one file of slices (tus, Concatenation) in the order they are named, without touching a byte: their segments
 * become the file's. The slices are gone afterwards.
 *
 * @throws HttpProblem NOT_FOUND, FILES_INCOMPLETE naming what is missing, and what a creation can be refused for
 */
export async function joinSlices(
  { transact, config }: FinishDeps,
  request: TusRequest,
  ids: readonly string[],
  described: { metadata: FileMetadata; tusMetadata: string | null },
): Promise<JoinedFile> {
  const { implicit, actor } = request;
  const { metadata, tusMetadata } = described;
  return transact(async (unit) => {
    // The same join asked for twice at once: the second waits here, and then finds the file of the first.
    await holdTransactionLock(unit.trx, `join ${ids[0]}`);
    const earlier = await findEarlierJoin(unit.trx, ids, actor);
    if (earlier !== undefined) return { fileId: earlier, abandoned: [], problem: undefined };
    const announced = implicit ? undefined : await lockUpload(unit.trx, request.upload.id);
    if (announced && !takesFiles(announced.status)) {
      throw new HttpProblem('UPLOAD_NOT_OPEN', 'The upload takes no more files. What has arrived is safe.');
    }
    const slices = await readSlices(unit, ids, request);
    const size = slices.reduce((sum, slice) => sum + slice.bytesReceived, 0);
    if (implicit && metadata.clientId !== undefined) await holdCreation(unit, actor, metadata.clientId);
    // The client may have sent all its slices again.
    const { clientId } = metadata;
    const same =
      clientId === undefined ? undefined : await findEarlierCreation(unit.trx, request, clientId, size);
    // One that is still under way is not what the slices are: saying that it is there would lose them.
    if (same && same.file.bytesReceived !== size) throw clientIdTaken();
    if (same) return { fileId: same.file.id, abandoned: [], problem: undefined };
    const upload = implicit
      ? await beginImplicit(unit, { ...request, implicit }, metadata.clientId)
      : announced;
    if (!upload) throw notFound('upload');
    const totals = (await sumUploadFiles(unit.trx, [upload.id])).get(upload.id);
    assertFits(upload, totals?.received ?? 0, totals?.receivedBytes ?? 0, size);
    const fileId = newId();
    await insertUploadFile(unit.trx, {
      id: fileId,
      uploadId: upload.id,
      clientId: metadata.clientId ?? null,
      filename: metadata.filename,
      relativePath: metadata.relativePath ?? null,
      filetype: metadata.filetype ?? null,
      tusMetadata,
      size,
      isPartial: false,
      bytesReceived: size,
      joinedFrom: [...ids],
    });
    let offset = 0;
    for (const slice of slices) {
      await moveSegments(unit.trx, slice.id, fileId, offset);
      offset += slice.bytesReceived;
    }
    await deleteUploadFiles(unit.trx, ids);
    for (const uploadId of new Set(slices.map((slice) => slice.uploadId))) {
      // What held a slice that belonged to no upload has nothing left to hold.
      if (uploadId !== upload.id) await changeUploadStatus(unit, { uploadId, to: 'cancelled', actor });
    }
    if (upload.status === 'created') {
      await changeUploadStatus(unit, { uploadId: upload.id, to: 'uploading', actor });
    }
    return { fileId, ...(await receiveFile(unit, upload, { id: fileId, size }, actor, config)) };
  });
}
