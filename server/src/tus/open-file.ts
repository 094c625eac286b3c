import type { LeaseRow } from '@relaypacs/core/db/file-leases.js';
import type { ReceivedBytes } from '@relaypacs/core/db/received-bytes.js';
import {
  type ObjectStorage,
  type SegmentWriter,
  StorageUnavailable,
} from '@relaypacs/core/storage/object-storage.js';
import { HttpProblem } from '../http/http-problem.js';

export interface OpenFileDeps {
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
  /** The size and the bytes received as they are now. */
  readonly row: LeaseRow['file'];
  private readonly deps: OpenFileDeps;
  private readonly leaseToken: number;
  private readonly writer: SegmentWriter;
  private pending = 0;

  constructor(deps: OpenFileDeps, { token, file }: LeaseRow) {
    this.deps = deps;
    this.row = { ...file };
    this.leaseToken = token;
    // A new object: the last holder may only have been slow, and still be writing to its own.
    this.writer = deps.storage.write({ fileId: file.id, offset: file.bytesReceived });
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
