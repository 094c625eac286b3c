import { constants, createReadStream } from 'node:fs';
import { access, mkdir, open, opendir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { ObjectMissing, type ObjectStorage, type StoredObject } from './object-storage.js';

const KEY = /^[A-Za-z0-9-]{1,64}$/;

/** Keeps every object as one file of a folder, which the tus endpoint writes and this reads. */
export class FileStorage implements ObjectStorage {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  private file(key: string): string {
    // Keys are ids of our own; anything else could climb out of the folder.
    if (!KEY.test(key)) throw new ObjectMissing(key);
    return path.join(this.directory, key);
  }

  async open(key: string): Promise<StoredObject> {
    const file = this.file(key);
    const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? new ObjectMissing(key) : error;
    });
    const { size } = await handle.stat();
    return {
      size,
      async read(offset, length) {
        const wanted = Math.max(0, Math.min(length, size - offset));
        const buffer = Buffer.allocUnsafe(wanted);
        let done = 0;
        while (done < wanted) {
          const { bytesRead } = await handle.read(buffer, done, wanted - done, offset + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        return buffer.subarray(0, done);
      },
      stream(offset, length) {
        if (length === 0) return Readable.from([]);
        return createReadStream('', {
          fd: handle,
          start: offset,
          end: offset + length - 1,
          autoClose: false,
          highWaterMark: 256 * 1024,
        });
      },
      close: () => handle.close(),
    };
  }

  async remove(key: string): Promise<void> {
    await rm(this.file(key), { force: true });
  }

  async *listKeys(before: Date): AsyncIterable<string> {
    for await (const { name } of await opendir(this.directory)) {
      if (!KEY.test(name)) continue;
      const found = await stat(path.join(this.directory, name)).catch(() => undefined);
      if (found && found.mtimeMs < before.getTime()) yield name;
    }
  }

  async check(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    await access(this.directory, constants.R_OK | constants.W_OK);
  }
}
