import type { Database } from '../db/database.js';
import { listSegments } from '../db/file-segments.js';
import { findUploadFile } from '../db/upload-files.js';
import { ObjectMissing, type ObjectStorage, type StoredObject } from './object-storage.js';
import { openStoredFile } from './stored-file.js';

/** Reads uploaded files by their ids. */
export interface UploadedFiles {
  /**
   * Every byte of the file that was acknowledged.
   *
   * @throws ObjectMissing when they are not all there
   */
  open(fileId: string): Promise<StoredObject>;
}

/** Finds where a file's bytes lie in the database, and reads them from the storage. */
export function createUploadedFiles(db: Database, storage: ObjectStorage): UploadedFiles {
  return {
    async open(fileId) {
      const [file, segments] = await Promise.all([findUploadFile(db, fileId), listSegments(db, fileId)]);
      if (!file) throw new ObjectMissing(fileId);
      // Removed on purpose: the rows tell of bytes that are gone.
      if (file.bytesReceived > 0 && segments.length === 0) throw new ObjectMissing(fileId);
      return openStoredFile(storage, segments, file.bytesReceived);
    },
  };
}
