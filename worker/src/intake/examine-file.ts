import { createHash } from 'node:crypto';
import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';
import { isAsAnnounced, type UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import { type ByteSource, bytesSource } from '@relaypacs/core/dicom/source.js';
import { md5OfFile } from '@relaypacs/core/storage/file-md5.js';
import { ObjectMissing, type StoredObject } from '@relaypacs/core/storage/object-storage.js';
import type { FileOpener } from '@relaypacs/core/storage/uploaded-files.js';
import { type Digests, digestBeside, MOST_BYTES } from './digest-threads.js';
import { type ArchiveDeps, examineGzip, examineZip } from './examine-archive.js';
import { examineContent, readHead, sniff } from './examine-content.js';
import {
  type CheckedFile,
  type Examined,
  isLost,
  type KnownObject,
  type LostFile,
  refuse,
  rejected,
} from './examined.js';
import { TRANSFER_DAMAGED } from './intake-problems.js';

export interface FileExaminationDeps extends ArchiveDeps {
  files: FileOpener;
}

const LOST: UploadProblem = {
  code: 'STORED_BYTES_DAMAGED',
  title: 'Damaged after it was received',
  detail: 'What arrived of this file can no longer be read here. Send this file again.',
};

function lost(file: UploadFileRow): LostFile {
  return { ...rejected('other', LOST), file, md5: null, sha256: null, entries: [] };
}

/**
 * Looks at one received file: what it is, by its content; its digests; and whether it can be delivered, alone or as an
 * archive of things that can. Content of any sort, and content that is gone, leads to a verdict.
 *
 * @param known - what was found in it before, if anything: then only its length is looked at
 * @throws only faults of the storage
 */
export async function examineFile(
  deps: FileExaminationDeps,
  file: UploadFileRow,
  known?: KnownObject,
): Promise<CheckedFile> {
  const checked = await withStored(deps, file, async (object) =>
    known?.size === object.size
      ? { file, ...known }
      : examineStored(deps, file, object, await readWhole(object)),
  );
  return checked ?? lost(file);
}

/**
 * Looks at one received file if it is a DICOM object by itself.
 *
 * @returns undefined for anything else, archives of objects and what is gone included
 * @throws only faults of the storage
 */
export async function examineSingleObject(
  deps: FileExaminationDeps,
  file: UploadFileRow,
): Promise<CheckedFile | undefined> {
  return withStored(deps, file, async (object) => {
    const bytes = await readWhole(object);
    const kind = sniff(await readHead(bytes ? bytesSource(bytes) : object));
    return kind === 'dicom' ? examineStored(deps, file, object, bytes) : undefined;
  });
}

/** @returns undefined where not all of the file is there */
async function withStored<T>(
  { files }: Pick<FileExaminationDeps, 'files'>,
  file: UploadFileRow,
  look: (object: StoredObject) => Promise<T>,
): Promise<T | undefined> {
  let object: StoredObject | undefined;
  try {
    object = await files.open(file.id);
    return object.size < (file.size ?? 0) ? undefined : await look(object);
  } catch (error) {
    if (error instanceof ObjectMissing) return undefined;
    throw error;
  } finally {
    await object?.close();
  }
}

/** What is not large is read once and kept while it is looked at; undefined: the others are not. */
async function readWhole(object: StoredObject): Promise<Uint8Array | undefined> {
  return object.size <= MOST_BYTES ? object.read(0, object.size) : undefined;
}

async function examineStored(
  deps: FileExaminationDeps,
  file: UploadFileRow,
  object: StoredObject,
  bytes: Uint8Array | undefined,
): Promise<CheckedFile> {
  const { size } = object;
  const withMd5 = file.announcedMd5 !== null;
  const digests = bytes
    ? digestBeside(bytes, withMd5)
    : digestStream(object.stream(0, size), withMd5, deps.signal);
  // A large one is read twice, one time after the other.
  if (!bytes) await digests;
  const source = bytes ? bytesSource(bytes) : object;
  const [contents, { md5, sha256 }] = await Promise.all([
    examineContents(deps, source, async () => (await digests).sha256),
    digests,
  ]);
  return { file, size, md5, sha256, ...contents };
}

async function examineContents(
  deps: FileExaminationDeps,
  source: ByteSource,
  sha256: () => Promise<Buffer>,
): Promise<Examined & Pick<CheckedFile, 'entries'>> {
  const archive = { source, steps: [] };
  const container = sniff(await readHead(source));
  if (container === 'zip' || container === 'gzip') {
    const open = container === 'zip' ? examineZip : examineGzip;
    const { examined, entries } = await open(deps, archive);
    return { ...examined, entries };
  }
  return { ...(await examineContent(deps, { ...archive, sha256 })), entries: [] };
}

async function digestStream(
  chunks: AsyncIterable<Uint8Array>,
  withMd5: boolean,
  signal: AbortSignal,
): Promise<Digests> {
  const md5 = withMd5 ? createHash('md5') : undefined;
  const sha256 = createHash('sha256');
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    md5?.update(chunk);
    sha256.update(chunk);
  }
  return { md5: md5?.digest() ?? null, sha256: sha256.digest() };
}

/**
 * Takes the MD5 of a file of which the sender announced one only after it was looked at.
 *
 * @param file - its row as it is now
 * @throws ObjectMissing and faults of the storage
 */
export async function takeAnnouncedMd5(
  files: FileOpener,
  checked: CheckedFile,
  file: UploadFileRow,
): Promise<void> {
  if (isLost(checked) || checked.md5 !== null || file.announcedMd5 === null) return;
  checked.md5 = await md5OfFile(files, file.id);
}

/**
 * Compares a file with what the sender announced of it by now: digests may come while it is being looked at. One that
 * differs is refused with everything in it.
 *
 * @param file - its row as it is now
 */
export function compareWithAnnounced(checked: CheckedFile, file: UploadFileRow): void {
  checked.file = file;
  if (isLost(checked)) return;
  const { md5, sha256, size } = checked;
  if (file.size === size && isAsAnnounced({ ...file, md5, sha256 })) return;
  refuse(checked, TRANSFER_DAMAGED);
  for (const entry of checked.entries) refuse(entry, TRANSFER_DAMAGED);
}
