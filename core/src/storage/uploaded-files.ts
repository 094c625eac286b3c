import type { Database } from '../db/database.js';
import { type FilePlace, findFilePlaces } from '../db/file-segments.js';
import { ObjectMissing, type ObjectStorage, type StoredObject } from './object-storage.js';
import { openStoredFile } from './stored-file.js';

export interface FileOpener {
  /**
   * Every byte of the file that was acknowledged.
   *
   * @throws ObjectMissing when they are not all there
   */
  open(fileId: string): Promise<StoredObject>;
}

/** Reads uploaded files by their ids. */
export interface UploadedFiles extends FileOpener {
  /**
   * Looks up where the bytes of several files lie, all at once: asking for each by itself costs more than reading it.
   *
   * @returns what opens these files, and no others, without asking again
   */
  locate(fileIds: readonly string[]): Promise<FileOpener>;
}

/** Finds where a file's bytes lie in the database, and reads them from the storage. */
export function createUploadedFiles(db: Database, storage: ObjectStorage): UploadedFiles {
  const locate = async (fileIds: readonly string[]): Promise<FileOpener> => {
    const places = await findFilePlaces(db, fileIds);
    return { open: (fileId) => openPlace(storage, fileId, places.get(fileId)) };
  };
  return { locate, open: async (fileId) => (await locate([fileId])).open(fileId) };
}

async function openPlace(
  storage: ObjectStorage,
  fileId: string,
  place: FilePlace | undefined,
): Promise<StoredObject> {
  if (!place) throw new ObjectMissing(fileId);
  const { bytesReceived, segments } = place;
  // Removed on purpose: the rows tell of bytes that are gone.
  if (bytesReceived > 0 && segments.length === 0) throw new ObjectMissing(fileId);
  return openStoredFile(storage, segments, bytesReceived);
}
