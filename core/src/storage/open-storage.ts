import type { StorageConfig } from '../config.js';
import { FileStorage } from './file-storage.js';
import type { ObjectStorage } from './object-storage.js';
import { S3Storage } from './s3-storage.js';

const MIB = 1024 * 1024;
/** Large enough that a 2 GiB file is 256 objects, small enough that a slow phone fills one in a minute or two. */
const OBJECT_BYTES = 8 * MIB;
/** What all uploads of one process may hold in memory together, before it is put into the bucket. */
const BUFFER_BYTES = 64 * MIB;

/**
 * The storage the configuration names, ready to be written to.
 *
 * @throws ConfigError when a bucket cannot be used as configured, or does not encrypt although it was asked to
 * @throws Error when the storage is away
 */
export async function openStorage(config: StorageConfig): Promise<ObjectStorage> {
  if (config.kind === 'file') {
    const storage = new FileStorage(config);
    await storage.check();
    return storage;
  }
  const storage = new S3Storage({ ...config, objectBytes: OBJECT_BYTES, bufferBytes: BUFFER_BYTES });
  await storage.checkSettings();
  return storage;
}
