import { createHash } from 'node:crypto';
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

/** SHA-256 of what the pieces make up. */
export async function digestPieces(source: ByteSource, pieces: readonly SourcePiece[]): Promise<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of streamPieces(source, pieces)) hash.update(chunk);
  return hash.digest();
}

/** New bytes stand in the instance's row: a header, or a small object that was deflated anew, never pixels. */
const MOST_NEW_BYTES = 1024 * 1024;

/** Whether the pieces may be kept with an instance. */
export function areKeepable(pieces: readonly SourcePiece[]): boolean {
  const added = pieces.reduce((sum, piece) => sum + ('bytes' in piece ? piece.bytes.length : 0), 0);
  return added <= MOST_NEW_BYTES;
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
