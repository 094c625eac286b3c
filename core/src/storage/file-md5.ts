import { createHash } from 'node:crypto';
import type { FileOpener } from './uploaded-files.js';

/**
 * MD5 of all that was acknowledged of a file. It takes longer than all else that is done with it, and is only of use where
 * the sender announces one.
 *
 * @throws ObjectMissing when the bytes are not all there
 */
export async function md5OfFile(files: FileOpener, fileId: string): Promise<Buffer> {
  const object = await files.open(fileId);
  try {
    const md5 = createHash('md5');
    for await (const chunk of object.stream(0, object.size)) md5.update(chunk);
    return md5.digest();
  } finally {
    await object.close();
  }
}
