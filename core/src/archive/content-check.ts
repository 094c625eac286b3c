import { Crc32 } from './crc32.js';
import { ContentDamaged } from './refusals.js';

/**
 * Passes the whole content on, and compares its checksum with the one in the archive at the end.
 * @throws ContentDamaged `ENTRY_DAMAGED` behind the last chunk: what was made of the content is then worth nothing
 */
export async function* checkCrc32(
  chunks: AsyncIterable<Uint8Array>,
  expected: number,
): AsyncGenerator<Uint8Array> {
  const crc = new Crc32();
  for await (const chunk of chunks) {
    crc.update(chunk);
    yield chunk;
  }
  if (crc.value !== expected) throw new ContentDamaged();
}
