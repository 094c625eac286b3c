import {
  ObjectMissing,
  type ObjectStorage,
  type Segment,
  type StoredObject,
  type StreamOptions,
} from './object-storage.js';

/** A segment with the bytes of the file that count in it. */
interface Piece extends Segment {
  /** Where the next one begins. */
  end: number;
}

/** Objects that stay open between reads; each may hold a handle or a block of bytes. */
const KEPT_OPEN = 4;

/**
 * Opens an uploaded file as one object over its segments. The first segment is opened at once, the others when they
 * are read.
 *
 * @param segments - in order, without a gap from 0 to `size`
 * @param size - bytes of the file that were acknowledged
 * @throws ObjectMissing when the first segment is not all there; reads and streams throw it for the others
 * @throws Error when the segments cannot be those of a file of this size
 */
export async function openStoredFile(
  storage: Pick<ObjectStorage, 'open'>,
  segments: readonly Segment[],
  size: number,
): Promise<StoredObject> {
  const file = new StoredFile(storage, toPieces(segments, size), size);
  await file.openFirst();
  return file;
}

function toPieces(segments: readonly Segment[], size: number): Piece[] {
  const pieces = segments.map((segment, i) => ({ ...segment, end: segments[i + 1]?.start ?? size }));
  const complete = size === 0 ? pieces.length === 0 : pieces[0]?.start === 0;
  if (!complete || pieces.some(({ start, end }) => start >= end)) {
    throw new Error(`The segments recorded are not those of a file of ${size} bytes`);
  }
  return pieces;
}

class StoredFile implements StoredObject {
  readonly size: number;
  private readonly storage: Pick<ObjectStorage, 'open'>;
  private readonly pieces: readonly Piece[];
  /** The objects that are open, the last used ones last. */
  private readonly open = new Map<Piece, { object: Promise<StoredObject>; users: number }>();
  private closed = false;

  constructor(storage: Pick<ObjectStorage, 'open'>, pieces: readonly Piece[], size: number) {
    this.storage = storage;
    this.pieces = pieces;
    this.size = size;
  }

  async openFirst(): Promise<void> {
    const [first] = this.pieces;
    if (first) await this.use(first, async () => {});
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (const { piece, at, wanted } of this.ranges(offset, length)) {
      const part = await this.use(piece, (object) => object.read(at, wanted));
      if (part.length < wanted) throw new ObjectMissing(piece.key);
      parts.push(part);
    }
    const [only = new Uint8Array()] = parts;
    return parts.length > 1 ? Buffer.concat(parts) : only;
  }

  async close(): Promise<void> {
    this.closed = true;
    const open = [...this.open.values()];
    this.open.clear();
    await Promise.all(
      open.map(({ object }) =>
        object.then(
          (opened) => opened.close(),
          () => {},
        ),
      ),
    );
  }

  async *stream(offset: number, length: number, options?: StreamOptions): AsyncGenerator<Uint8Array> {
    for (const { piece, at, wanted } of this.ranges(offset, length)) {
      const object = await this.acquire(piece);
      let missing = wanted;
      try {
        for await (const chunk of object.stream(at, wanted, options)) {
          missing -= chunk.length;
          yield chunk;
        }
      } finally {
        await this.release(piece);
      }
      if (missing > 0) throw new ObjectMissing(piece.key);
    }
  }

  /** Which bytes of which pieces make up a range of the file. */
  private *ranges(offset: number, length: number) {
    const end = Math.min(offset + length, this.size);
    for (let i = this.pieceAt(offset); i < this.pieces.length; i++) {
      const piece = this.pieces[i];
      if (!piece || piece.start >= end) return;
      const at = Math.max(offset - piece.start, 0);
      const wanted = Math.min(end, piece.end) - piece.start - at;
      if (wanted > 0) yield { piece, at, wanted };
    }
  }

  /** The index of the piece that holds this offset; the first for one before it, the last for one behind. */
  private pieceAt(offset: number): number {
    let low = 0;
    let high = this.pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.pieces[middle]?.start ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private async use<T>(piece: Piece, action: (object: StoredObject) => Promise<T>): Promise<T> {
    const object = await this.acquire(piece);
    try {
      return await action(object);
    } finally {
      await this.release(piece);
    }
  }

  private async acquire(piece: Piece): Promise<StoredObject> {
    if (this.closed) throw new Error('The file was closed');
    const entry = this.open.get(piece) ?? {
      object: this.storage.open(piece.key, piece.end - piece.start),
      users: 0,
    };
    entry.users++;
    this.open.delete(piece);
    this.open.set(piece, entry);
    try {
      return await entry.object;
    } catch (error) {
      if (this.open.get(piece) === entry) this.open.delete(piece);
      throw error;
    }
  }

  /** Closes those unused for longest, so that a file of many segments needs no more than one of few. */
  private async release(piece: Piece): Promise<void> {
    const entry = this.open.get(piece);
    if (entry) entry.users--;
    const idle = [...this.open].filter(([, { users }]) => users === 0);
    const surplus = idle.slice(0, Math.max(0, this.open.size - KEPT_OPEN));
    for (const [unused, { object }] of surplus) {
      this.open.delete(unused);
      await (await object).close();
    }
  }
}
