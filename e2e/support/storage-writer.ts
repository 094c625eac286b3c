import { FileStorage, type FileStorageOptions } from '@relaypacs/core/storage/file-storage.js';
import type { ObjectStorage, Segment } from '@relaypacs/core/storage/object-storage.js';
import { type S3Settings, S3Storage } from '@relaypacs/core/storage/s3-storage.js';

/** How a process of its own opens a storage. */
export type StorageSettings = { file: FileStorageOptions } | { s3: S3Settings };

/** What is recorded of a file: its segments, and its bytes that were acknowledged. */
export interface RecordedFile {
  fileId: string;
  segments: Segment[];
  size: number;
}

export function openStorage(settings: StorageSettings): ObjectStorage {
  return 'file' in settings ? new FileStorage(settings.file) : new S3Storage(settings.s3);
}

/** A prime number of bytes, so that no block of a usual size in the wrong place looks right. */
const PERIOD = 65_521;
const pattern = Buffer.from(Array.from({ length: PERIOD }, (_, i) => (i * 167 + (i >> 8) * 13) & 0xff));
const repeated = Buffer.concat([pattern, pattern, pattern]);

/** The bytes every test file has from an offset on; freshly allocated. */
export function fileBytes(offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let done = 0; done < length; done += 2 * PERIOD) {
    repeated.copy(bytes, done, (offset + done) % PERIOD, ((offset + done) % PERIOD) + 2 * PERIOD);
  }
  return bytes;
}
