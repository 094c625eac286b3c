import { constants } from 'node:fs';
import { access, type FileHandle, mkdir, open, opendir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { FileWriter } from './file-writer.js';
import {
  LENT_BYTES,
  ObjectMissing,
  type ObjectStorage,
  type SegmentWriter,
  type StoredObject,
  type StreamOptions,
  type WriterOptions,
} from './object-storage.js';
import { isSafeKey, isSegmentKey } from './segment-key.js';

export interface FileStorageOptions {
  directory: string;
  /** Whether a sync waits until the bytes are on the disk: without it they survive a crash, but no power cut. */
  fsync: boolean;
}

const STREAM_BYTES = 512 * 1024;
/** Memory for chunks that are lent, used again and again: allocating it for each costs more than reading. */
const spare: Buffer[] = [];
const MOST_SPARE = 16;

/** Keeps every object as one file of a folder. */
export class FileStorage implements ObjectStorage {
  private readonly directory: string;
  private readonly fsync: boolean;

  constructor(options: FileStorageOptions) {
    this.directory = options.directory;
    this.fsync = options.fsync;
  }

  write(options: WriterOptions): SegmentWriter {
    return new FileWriter({ ...options, directory: this.directory, fsync: this.fsync });
  }

  async open(key: string, length: number): Promise<StoredObject> {
    const handle = await open(this.file(key), 'r').catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? new ObjectMissing(key) : error;
    });
    const { size } = await handle.stat();
    if (size >= length) return new FileObject(key, handle, length);
    await handle.close();
    throw new ObjectMissing(key);
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const file of keys.map((key) => this.file(key))) await rm(file, { force: true });
  }

  async *listKeys(before: Date): AsyncIterable<string> {
    for await (const { name } of await opendir(this.directory)) {
      if (!isSegmentKey(name)) continue;
      const found = await stat(path.join(this.directory, name)).catch(() => undefined);
      if (found && found.mtimeMs < before.getTime()) yield name;
    }
  }

  async check(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    await access(this.directory, constants.R_OK | constants.W_OK);
  }

  private file(key: string): string {
    // Anything that is no key of ours could climb out of the folder.
    if (!isSafeKey(key)) throw new ObjectMissing(key);
    return path.join(this.directory, key);
  }
}

class FileObject implements StoredObject {
  readonly size: number;
  private readonly key: string;
  private readonly handle: FileHandle;

  constructor(key: string, handle: FileHandle, size: number) {
    this.key = key;
    this.handle = handle;
    this.size = size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, this.size - offset));
    return this.fill(Buffer.allocUnsafe(wanted), offset);
  }

  private async fill(buffer: Buffer, offset: number): Promise<Buffer> {
    for (let done = 0; done < buffer.length; ) {
      const { bytesRead } = await this.handle.read(buffer, done, buffer.length - done, offset + done);
      if (bytesRead === 0) throw new ObjectMissing(this.key);
      done += bytesRead;
    }
    return buffer;
  }

  async *stream(offset: number, length: number, options?: StreamOptions): AsyncGenerator<Uint8Array> {
    const end = Math.min(offset + length, this.size);
    for (let at = offset; at < end; at += STREAM_BYTES) {
      const wanted = Math.min(STREAM_BYTES, end - at);
      if (!options?.lent || wanted < LENT_BYTES) {
        yield await this.read(at, wanted);
        continue;
      }
      const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(STREAM_BYTES);
      yield await this.fill(buffer.subarray(0, wanted), at);
      // Only here: who ends before may still be using it.
      if (spare.length < MOST_SPARE) spare.push(buffer);
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}
