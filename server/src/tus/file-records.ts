import type { Database } from '@relaypacs/core/db/database.js';
import { findUploadFile, updateUploadFile } from '@relaypacs/core/db/upload-files.js';
import type { Configstore } from '@tus/file-store';
import { Metadata, Upload } from '@tus/utils';

/**
 * What the file store has to remember of each file, kept in `upload_files`: one record, written with the rest of a
 * file's creation, and no second one beside the bytes that a crash could leave half-written.
 */
export class FileRecords implements Configstore {
  private readonly db: Database;

  constructor(db: Database) {
    this.db = db;
  }

  async get(fileId: string): Promise<Upload | undefined> {
    const row = await findUploadFile(this.db, fileId);
    if (!row) return undefined;
    const metadata = row.tusMetadata === null ? undefined : Metadata.parse(row.tusMetadata);
    return new Upload({
      id: row.id,
      offset: 0,
      ...(row.size === null ? {} : { size: row.size }),
      ...(metadata === undefined ? {} : { metadata }),
      creation_date: row.createdAt.toISOString(),
    });
  }

  /** The row is there already (`createFile`); only a size that was not known at creation is new. */
  async set(fileId: string, file: Upload): Promise<void> {
    if (file.size !== undefined) await updateUploadFile(this.db, fileId, { size: file.size });
  }

  /** Rows are deleted by those who decide that a file goes. */
  async delete(): Promise<void> {}
}
