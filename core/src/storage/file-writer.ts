import { type FileHandle, open, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Segment, SegmentWriter, WriterOptions } from './object-storage.js';
import { newSegmentKey } from './segment-key.js';

export interface FileWriterOptions extends WriterOptions {
  /** The folder of the objects. */
  directory: string;
  /** Whether bytes must be on the disk, and not only with the operating system, to be called durable. */
  fsync: boolean;
}

/**
 * Writes into one new file of a folder. Always at an explicit position, so that what a discarded try left behind is
 * overwritten.
 */
export class FileWriter implements SegmentWriter {
  private readonly directory: string;
  private readonly fsync: boolean;
  private readonly segment: Segment;
  private handle: FileHandle | undefined;
  /** Where the next byte goes in the object. */
  private position = 0;
  /** Up to here the object is durable. While it is 0, nobody was told of the object. */
  private synced = 0;
  /** Why a sync failed. The system may have dropped those bytes, so that a second try proves nothing. */
  private failure: { reason: unknown } | undefined;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(options: FileWriterOptions) {
    this.directory = options.directory;
    this.fsync = options.fsync;
    this.segment = { start: options.offset, key: newSegmentKey(options.fileId) };
  }

  append(chunks: readonly Uint8Array[]): Promise<void> {
    return this.inTurn(async () => {
      this.refuseAfterFailure();
      const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      if (length === 0) return;
      this.handle ??= await open(this.file(), 'wx', 0o600);
      await writeAll(this.handle, chunks, length, this.position);
      this.position += length;
    });
  }

  sync(): Promise<Segment[]> {
    return this.inTurn(async () => {
      this.refuseAfterFailure();
      if (this.position === this.synced) return [];
      const begun = this.synced === 0 ? [this.segment] : [];
      try {
        if (this.fsync) {
          const name = begun.length > 0 ? syncDirectory(this.directory) : undefined;
          await Promise.all([this.handle?.datasync(), name]);
        }
      } catch (reason) {
        this.failure = { reason };
        throw reason;
      }
      this.synced = this.position;
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
      if (handle && this.synced === 0) await rm(this.file(), { force: true });
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
