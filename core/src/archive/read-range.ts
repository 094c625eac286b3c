import type { ByteSource } from '../dicom/source.js';

/**
 * Reads a range, clamped to the source.
 * @throws Error when the source breaks its contract by returning too few bytes: a fault of the storage, which must
 * not make a good archive look damaged.
 */
export async function readRange(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  const expected = Math.max(0, Math.min(length, source.size - offset));
  if (expected === 0) return new Uint8Array(0);
  const bytes = await source.read(offset, expected);
  if (bytes.length < expected) {
    throw new Error(`Source returned ${bytes.length} of ${expected} bytes at offset ${offset}`);
  }
  return bytes.length > expected ? bytes.subarray(0, expected) : bytes;
}

/** A view for reading the little-endian numbers of ZIP and gzip. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A 64-bit number; beyond 2^53, where no file reaches, the nearest one that can be calculated with. */
export function readUint64(view: DataView, offset: number): number {
  return Math.min(Number(view.getBigUint64(offset, true)), Number.MAX_SAFE_INTEGER);
}
