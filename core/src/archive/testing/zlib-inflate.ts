import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';

/** The `InflateRaw` of Node, so that the tests see both decoders there are. */
export async function* zlibInflate(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const inflate = createInflateRaw();
  const fed = pipeline(Readable.from(chunks), inflate).catch(() => undefined);
  yield* inflate;
  await fed;
}
