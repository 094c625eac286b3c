import { type FileHandle, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { ObjectMissing, type Segment, type SegmentWriter, type WriterOptions } from './object-storage.js';
import { newSegmentKey } from './segment-key.js';

export interface FileWriterOptions extends WriterOptions {
  /** The folder of the objects. */
  directory: string;
  /** Whether bytes must be on the disk, and not only with the operating system, to be called durable. */
  fsync: boolean;
}

/**
 * Writes into one file of a folder: that of the last segment, or else a new one. Always at an explicit position, so
 * that what a discarded try left behind is overwritten.
 */
export class FileWriter implements SegmentWriter {
  private readonly directory: string;
  private readonly fsync: boolean;
  private readonly segment: Segment;
  /** Whether our segment is a new one that nobody was told of yet. */
  private unannounced: boolean;
  private created = false;
  private handle: FileHandle | undefined;
  /** Where the next byte goes in the object. */
  private position: number;
  /** Up to here the object is durable. */
  private synced: number;
  /** Why a sync failed. The system may have dropped those bytes, so that a second try proves nothing. */
  private failure: { reason: unknown } | undefined;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(options: FileWriterOptions) {
    this.directory = options.directory;
    this.fsync = options.fsync;
    this.unannounced = options.last === undefined;
    this.segment = options.last ?? { start: options.offset, key: newSegmentKey(options.fileId) };
    this.position = options.offset - this.segment.start;
    this.synced = this.position;
  }

  append(chunks: readonly Uint8Array[]): Promise<void> {
    return this.inTurn(async () => {
      this.refuseAfterFailure();
      const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      if (length === 0) return;
      this.handle ??= await this.openFile();
      await writeAll(this.handle, chunks, length, this.position);
      this.position += length;
    });
  }

  sync(): Promise<Segment[]> {
    return this.inTurn(async () => {
      this.refuseAfterFailure();
      if (this.position === this.synced) return [];
      try {
        if (this.fsync) {
          const name = this.unannounced ? syncDirectory(this.directory) : undefined;
          await Promise.all([this.handle?.datasync(), name]);
        }
      } catch (reason) {
        this.failure = { reason };
        throw reason;
      }
      this.synced = this.position;
      const begun = this.unannounced ? [this.segment] : [];
      this.unannounced = false;
      return begun;
    });
  }

  discard(): Promise<void> {
    return this.inTurn(async () => {
      this.position = this.synced;
      this.failure = undefined;
    });
  }

  close(): Promise<void> {
    return this.inTurn(async () => {
      const handle = this.handle;
      this.handle = undefined;
      await handle?.close();
      if (!this.created || !this.unannounced) return;
      this.created = false;
      await rm(this.file(), { force: true });
    });
  }

  /** One thing at a time: two writes side by side could leave a hole when the first fails. */
  private inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.queue.then(action);
    this.queue = result.catch(() => {});
    return result;
  }

  private refuseAfterFailure(): void {
    if (this.failure) throw this.failure.reason;
  }

  private file(): string {
    return path.join(this.directory, this.segment.key);
  }

  private async openFile(): Promise<FileHandle> {
    if (this.unannounced) {
      const handle = await open(this.file(), 'wx', 0o600);
      this.created = true;
      return handle;
    }
    const handle = await open(this.file(), 'r+').catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? new ObjectMissing(this.segment.key) : error;
    });
    const { size } = await handle.stat();
    if (size >= this.position) return handle;
    await handle.close();
    throw new ObjectMissing(this.segment.key);
  }
}

async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[], length: number, position: number) {
  let rest = chunks;
  let done = 0;
  while (done < length) {
    // A disk that fills up takes a part first; asked for the rest, it says why.
    const { bytesWritten } = await handle.writev(rest, position + done);
    if (bytesWritten === 0) throw new Error('The disk takes no more bytes');
    done += bytesWritten;
    if (done < length) rest = [Buffer.concat(chunks).subarray(done)];
  }
}

/** A new file is only sure to be found again once its name is on the disk, too. */
async function syncDirectory(directory: string): Promise<void> {
  // Windows writes names through and cannot open a folder.
  if (process.platform === 'win32') return;
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
