import type { StoredPiece } from '@relaypacs/core/db/instances.js';
import type { ByteSource } from '@relaypacs/core/dicom/source.js';
import type { SourcePiece } from '@relaypacs/core/dicom/source-piece.js';

const READ_BYTES = 256 * 1024;

/** The bytes of a repaired object: new ones, and ranges of the file it was made from. */
export async function* streamPieces(
  source: ByteSource,
  pieces: readonly SourcePiece[],
): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    if ('bytes' in piece) {
      yield piece.bytes;
      continue;
    }
    const end = piece.offset + piece.length;
    for (let offset = piece.offset; offset < end; ) {
      const chunk = await source.read(offset, Math.min(READ_BYTES, end - offset));
      if (chunk.length === 0) return;
      yield chunk;
      offset += chunk.length;
    }
  }
}

/** Pieces as they are kept with an instance. */
export function toStoredPieces(pieces: readonly SourcePiece[]): StoredPiece[] {
  return pieces.map((piece) =>
    'bytes' in piece ? { base64: Buffer.from(piece.bytes).toString('base64') } : piece,
  );
}

export function fromStoredPieces(pieces: readonly StoredPiece[]): SourcePiece[] {
  return pieces.map((piece) => ('base64' in piece ? { bytes: Buffer.from(piece.base64, 'base64') } : piece));
}
