import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import { ObjectMissing } from '@relaypacs/core/storage/object-storage.js';
import type { UploadedFiles } from '@relaypacs/core/storage/uploaded-files.js';
import { StoredBytesDamaged, type StowPart } from './multipart.js';

/**
 * The bytes of an instance, streamed from where they were stored.
 *
 * @throws StoredBytesDamaged while iterating, when they are gone or shorter than they were
 */
export async function* readInstance(files: UploadedFiles, instance: InstanceRow): AsyncGenerator<Uint8Array> {
  const object = await files.open(instance.uploadFileId).catch((error: unknown) => {
    throw error instanceof ObjectMissing ? new StoredBytesDamaged(instance.sopInstanceUid, error) : error;
  });
  try {
    yield* object.stream(instance.sourceOffset, instance.size) as AsyncIterable<Uint8Array>;
  } finally {
    await object.close();
  }
}

/** An instance as a part of a STOW-RS request. */
export function stowPart(files: UploadedFiles, instance: InstanceRow): StowPart {
  const { sopInstanceUid, size, sha256 } = instance;
  return { sopInstanceUid, size, sha256, open: () => readInstance(files, instance) };
}
