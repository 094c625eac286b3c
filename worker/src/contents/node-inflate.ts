import { createInflateRaw } from 'node:zlib';

const OUTPUT_BYTES = 64 * 1024;

/**
 * Inflates a raw deflate stream (RFC 1951) chunk by chunk with zlib, as much as is asked for: what nobody reads is not
 * inflated, so that a stream that grows without end costs no memory.
 *
 * @throws what zlib says of a stream that is damaged or cut off
 */
export async function* nodeInflate(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const inflate = createInflateRaw({ chunkSize: OUTPUT_BYTES });
  const feeding = feed(chunks, inflate);
  // Its failure reaches the reader as that of the stream.
  feeding.catch(() => {});
  try {
    yield* inflate as AsyncIterable<Uint8Array>;
    await feeding;
  } finally {
    inflate.destroy();
  }
}

async function feed(
  chunks: AsyncIterable<Uint8Array>,
  inflate: ReturnType<typeof createInflateRaw>,
): Promise<void> {
  try {
    for await (const chunk of chunks) {
      if (inflate.destroyed) return;
      if (!inflate.write(chunk)) await drained(inflate);
    }
    inflate.end();
  } catch (error) {
    inflate.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

function drained(inflate: ReturnType<typeof createInflateRaw>): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      inflate.off('drain', end);
      inflate.off('close', end);
      resolve();
    };
    inflate.once('drain', end);
    inflate.once('close', end);
  });
}
