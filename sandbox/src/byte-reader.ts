import type { FileHandle } from 'node:fs/promises';

/** The data ended in the middle of what was being read. */
export class TruncatedError extends Error {}

/** Where bytes come from. `jump` is there when bytes can be passed over without reading them. */
export interface ByteFeed {
  next(): Promise<Buffer | null>;
  jump?(length: number): void;
}

/** 16 KiB holds the header of most slices and wastes little after a jump over pixel data. */
const WINDOW_BYTES = 16 * 1024;

/** Reads a file from `start` in small windows. The handle stays the caller's. */
export function fileFeed(file: FileHandle, start = 0): ByteFeed {
  let offset = start;
  return {
    async next() {
      const { bytesRead, buffer } = await file.read(
        Buffer.allocUnsafe(WINDOW_BYTES),
        0,
        WINDOW_BYTES,
        offset,
      );
      offset += bytesRead;
      return bytesRead === 0 ? null : buffer.subarray(0, bytesRead);
    },
    jump(length) {
      offset += length;
    },
  };
}

/** Reads a stream as it comes. */
export function streamFeed(stream: AsyncIterable<Buffer>): ByteFeed {
  const chunks = stream[Symbol.asyncIterator]();
  return {
    async next() {
      const { done, value } = await chunks.next();
      return done ? null : value;
    },
  };
}

/** Reads bytes in order, holding one window of them in memory. */
export class ByteReader {
  readonly #feed: ByteFeed;
  #window: Buffer = Buffer.alloc(0);
  #position = 0;

  constructor(feed: ByteFeed) {
    this.#feed = feed;
  }

  /** Bytes read or skipped so far. */
  get position(): number {
    return this.#position;
  }

  /** The next `length` bytes without moving on, fewer at the end of the data. */
  async peek(length: number): Promise<Buffer> {
    while (this.#window.length < length) {
      const chunk = await this.#feed.next();
      if (!chunk) break;
      this.#window = this.#window.length === 0 ? chunk : Buffer.concat([this.#window, chunk]);
    }
    return this.#window.subarray(0, length);
  }

  /** The next `length` bytes. Throws {@link TruncatedError} when there are fewer. */
  async read(length: number): Promise<Buffer> {
    const bytes = await this.peek(length);
    if (bytes.length < length) throw new TruncatedError(`The data ends after byte ${this.#position}`);
    this.#advance(length);
    return bytes;
  }

  /** The next `length` bytes in pieces, none larger than a window. Throws {@link TruncatedError}. */
  async *readPieces(length: number): AsyncGenerator<Buffer> {
    let left = length;
    while (left > 0) {
      const piece = await this.read(Math.min(left, this.#window.length || 1));
      left -= piece.length;
      yield piece;
    }
  }

  /** Moves `length` bytes on. Throws {@link TruncatedError} when there are fewer. */
  async skip(length: number): Promise<void> {
    const beyondWindow = length - this.#window.length;
    if (beyondWindow <= 0) return this.#advance(length);
    this.#advance(this.#window.length);
    if (!this.#feed.jump) {
      for await (const _ of this.readPieces(beyondWindow));
      return;
    }
    // The last byte is read, so that a jump beyond the end is noticed.
    this.#feed.jump(beyondWindow - 1);
    this.#position += beyondWindow - 1;
    await this.read(1);
  }

  async atEnd(): Promise<boolean> {
    return (await this.peek(1)).length === 0;
  }

  #advance(length: number): void {
    this.#window = this.#window.subarray(length);
    this.#position += length;
  }
}
