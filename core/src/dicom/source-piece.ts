import type { ByteSource } from './source.js';

/** A part of a file that is put together: new bytes, or a range of the original (in bytes), which is not copied. */
export type SourcePiece = { bytes: Uint8Array } | { offset: number; length: number };

function lengthOf(piece: SourcePiece): number {
  return 'bytes' in piece ? piece.bytes.length : piece.length;
}

/** The size of what the pieces make up, in bytes. */
export function composedSize(pieces: readonly SourcePiece[]): number {
  return pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
}

/** The same file in as few pieces as possible: without empty ones, and ranges that follow each other as one. */
export function joinPieces(pieces: readonly SourcePiece[]): SourcePiece[] {
  const joined: SourcePiece[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (lengthOf(piece) === 0) continue;
    if (
      last !== undefined &&
      'offset' in last &&
      'offset' in piece &&
      last.offset + last.length === piece.offset
    ) {
      joined[joined.length - 1] = { offset: last.offset, length: last.length + piece.length };
    } else {
      joined.push(piece);
    }
  }
  return joined;
}

/** The part of the pieces that begins at `start`, `length` bytes long. */
export function slicePieces(pieces: readonly SourcePiece[], start: number, length: number): SourcePiece[] {
  const parts: SourcePiece[] = [];
  let at = 0;
  for (const piece of pieces) {
    const from = Math.max(start - at, 0);
    const to = Math.min(start + length - at, lengthOf(piece));
    if (from < to) {
      parts.push(
        'bytes' in piece
          ? { bytes: piece.bytes.subarray(from, to) }
          : { offset: piece.offset + from, length: to - from },
      );
    }
    at += lengthOf(piece);
  }
  return parts;
}

/**
 * The file that the pieces make up, read from the original as it is asked for.
 * @throws what `source.read` rejects with, and Error when the source returns too few bytes
 */
export function composedSource(source: ByteSource, pieces: readonly SourcePiece[]): ByteSource {
  const readPiece = async (piece: SourcePiece): Promise<Uint8Array> => {
    if ('bytes' in piece) return piece.bytes;
    const bytes = await source.read(piece.offset, piece.length);
    if (bytes.length >= piece.length) return bytes.subarray(0, piece.length);
    throw new Error(`Source returned ${bytes.length} of ${piece.length} bytes at offset ${piece.offset}`);
  };
  return {
    size: composedSize(pieces),
    read: async (offset, length) => {
      const parts = slicePieces(pieces, offset, length);
      const [only] = parts;
      if (parts.length === 1 && only !== undefined) return readPiece(only);
      const whole = new Uint8Array(composedSize(parts));
      let at = 0;
      for (const part of parts) {
        whole.set(await readPiece(part), at);
        at += lengthOf(part);
      }
      return whole;
    },
  };
}
