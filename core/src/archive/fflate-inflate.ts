import { Inflate } from 'fflate';
import { ContentDamaged } from './refusals.js';

/** Deflated bytes inflated at once: at deflate's best ratio of 1032:1 they grow to 8 MiB. */
const PUSH_BYTES = 8 * 1024;
/** Deflated bytes without any output that no archiver writes; fflate keeps what follows the end of a stream. */
const MAX_IDLE_BYTES = 256 * 1024;

/**
 * Inflates a raw deflate stream (RFC 1951) with fflate: the `InflateRaw` of the browser. Bytes behind the end of the
 * stream are passed over.
 * @throws Error of fflate, or ContentDamaged, where the stream is illegible
 */
export async function* fflateInflate(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let output: Uint8Array[] = [];
  const inflate = new Inflate((chunk) => {
    if (chunk.length > 0) output.push(chunk);
  });
  let idleBytes = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PUSH_BYTES) {
      const piece = chunk.subarray(at, at + PUSH_BYTES);
      inflate.push(piece, false);
      idleBytes = output.length === 0 ? idleBytes + piece.length : 0;
      if (idleBytes > MAX_IDLE_BYTES) throw new ContentDamaged();
      yield* output;
      output = [];
    }
  }
  inflate.push(new Uint8Array(0), true);
  yield* output;
}
