import type { Database } from '@relaypacs/core/db/database.js';
import { listSegments } from '@relaypacs/core/db/file-segments.js';
import { findUploadFile, type ReceivedBytes, type UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import {
  type ObjectStorage,
  type SegmentWriter,
  StorageUnavailable,
} from '@relaypacs/core/storage/object-storage.js';
import { HttpProblem, notFound } from '../http/http-problem.js';

export interface OpenFileDeps {
  db: Database;
  storage: ObjectStorage;
  /** Records bytes that are durable; false when they must not count. */
  record: (bytes: ReceivedBytes) => Promise<boolean>;
}

function storageFailed(error: unknown): never {
  throw new StorageUnavailable(error);
}

/**
 * A file that this server holds the lease of: what is acknowledged of it, and the writer that goes on from there.
 * It stays open from request to request while the lease stays.
 */
export class OpenFile {
  /** As it was when it was opened, the size and the bytes received as they are now. */
  readonly row: UploadFileRow;
  private readonly deps: OpenFileDeps;
  private readonly leaseToken: number;
  private readonly writer: SegmentWriter;
  private pending = 0;

  private constructor(deps: OpenFileDeps, row: UploadFileRow, leaseToken: number, writer: SegmentWriter) {
    this.deps = deps;
    this.row = row;
    this.leaseToken = leaseToken;
    this.writer = writer;
  }

  /**
   * @param takenOver - the last holder's writes may still be under way, so its last object is left alone
   * @throws HttpProblem NOT_FOUND when the file was removed
   */
  static async open(
    deps: OpenFileDeps,
    fileId: string,
    { token, takenOver }: { token: number; takenOver: boolean },
  ): Promise<OpenFile> {
    const row = await findUploadFile(deps.db, fileId);
    if (!row) throw notFound('file');
    const mayContinue = row.bytesReceived > 0 && !takenOver;
    const last = mayContinue ? (await listSegments(deps.db, fileId)).at(-1) : undefined;
    const writer = deps.storage.write({ fileId, offset: row.bytesReceived, last });
    return new OpenFile(deps, row, token, writer);
  }

  /** Bytes appended that are not acknowledged yet. */
  get unrecorded(): number {
    return this.pending;
  }

  /** Takes bytes in; they count with {@link record}. */
  async append(chunks: readonly Uint8Array[]): Promise<void> {
    await this.writer.append(chunks).catch(storageFailed);
    for (const chunk of chunks) this.pending += chunk.length;
  }

  /**
   * Makes everything that was appended durable and records it: from here on it is acknowledged.
   *
   * @throws HttpProblem FILE_LOCKED when the file or its upload takes no more bytes, or another server has taken it over
   */
  async record(): Promise<void> {
    if (this.pending === 0) return;
    const segments = await this.writer.sync().catch(storageFailed);
    const to = this.row.bytesReceived + this.pending;
    const { id: fileId, bytesReceived: from } = this.row;
    const { leaseToken } = this;
    if (!(await this.deps.record({ fileId, leaseToken, from, to, segments }))) {
      // Nothing refers to them, and nothing will: what is not removed now is found as an orphan.
      await this.deps.storage.remove(segments.map(({ key }) => key)).catch(() => {});
      throw new HttpProblem(
        'FILE_LOCKED',
        'Another request has taken this file over, or it takes no more bytes. What was acknowledged is safe; ask with HEAD.',
      );
    }
    this.row.bytesReceived = to;
    this.pending = 0;
  }

  /** Drops what was appended and not recorded. */
  async discard(): Promise<void> {
    await this.writer.discard();
    this.pending = 0;
  }

  close(): Promise<void> {
    return this.writer.close();
  }
}
