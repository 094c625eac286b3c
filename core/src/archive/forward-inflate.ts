import type { ByteSource } from '../dicom/source.js';
import type { ContentStep } from './content-step.js';
import type { DeflatedInput, InflateRaw } from './inflate-cursor.js';
import { InflateCursor } from './inflate-cursor.js';
import { readRange } from './read-range.js';

/** Inflated bytes kept from the start: signatures, headers and the first windows of parsers. */
const HEAD_BYTES = 64 * 1024;
/** Deflated bytes fetched by one read of the container. */
const FETCH_BYTES = 256 * 1024;
/** Positions kept in one deflated content: as many readers go on without disturbing each other. */
const MAX_CURSORS = 4;

/**
 * Deflated content as a source. Deflate can be read forward only, so a read goes on from the nearest position before
 * it, or begins anew; nothing is held but the first 64 KiB and a window at each of up to four positions. A position
 * is lent for one chunk at a time, so that readers beyond the fourth are slow but never wait for each other for good.
 */
export class ForwardInflate implements ByteSource {
  readonly size: number;
  readonly #container: ByteSource;
  readonly #step: ContentStep;
  readonly #inflate: InflateRaw;
  readonly #head: Uint8Array;
  #headBytes = 0;
  #cursors: InflateCursor[] = [];
  #waiting: (() => void)[] = [];
  #isClosed = false;

  constructor(container: ByteSource, step: ContentStep, inflate: InflateRaw) {
    this.size = step.bytes;
    this.#container = container;
    this.#step = step;
    this.#inflate = inflate;
    this.#head = new Uint8Array(Math.min(HEAD_BYTES, step.bytes));
  }

  /** @throws ContentDamaged when the bytes are illegible, or not as many as they must be */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const whole = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    let filled = 0;
    for await (const chunk of this.stream(offset, whole.length)) {
      whole.set(chunk, filled);
      filled += chunk.length;
    }
    return whole;
  }

  /**
   * Streams a range, clamped to the content, as it is inflated. The chunks are views that must not be changed.
   * @throws ContentDamaged when the bytes are illegible, or not as many as they must be
   */
  async *stream(offset: number, length: number): AsyncGenerator<Uint8Array> {
    const end = Math.min(offset + length, this.size);
    let position = offset;
    while (position < end) {
      const chunk = await this.#chunkAt(position, end - position);
      yield chunk;
      position += chunk.length;
    }
  }

  /** Lets go of all positions; reads fail from now on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const idle = this.#cursors.filter(({ isBusy }) => !isBusy);
    this.#cursors = [];
    for (const wake of this.#waiting.splice(0)) wake();
    await Promise.all(idle.map((cursor) => cursor.close()));
  }

  async #chunkAt(offset: number, maxBytes: number): Promise<Uint8Array> {
    if (this.#isClosed) throw new Error('The content was closed');
    if (offset < this.#headBytes) {
      return this.#head.subarray(offset, Math.min(this.#headBytes, offset + maxBytes));
    }
    const cursor = await this.#lendCursor(offset);
    try {
      const chunk = await cursor.chunkAt(offset, maxBytes);
      await this.#giveBack(cursor, !this.#isClosed);
      return chunk;
    } catch (error) {
      // What failed once is in no state to go on; the error is worth more than that of closing it.
      await this.#giveBack(cursor, false).catch(() => undefined);
      throw error;
    }
  }

  async #lendCursor(offset: number): Promise<InflateCursor> {
    for (;;) {
      if (this.#isClosed) throw new Error('The content was closed');
      const idle = this.#cursors.filter(({ isBusy }) => !isBusy);
      const nearest = idle
        .filter(({ floor }) => floor <= offset)
        .reduce<InflateCursor | undefined>(
          (best, cursor) => (isFurther(cursor, best) ? cursor : best),
          undefined,
        );
      if (nearest !== undefined || this.#cursors.length < MAX_CURSORS) {
        const cursor = nearest ?? this.#startCursor();
        cursor.isBusy = true;
        return cursor;
      }
      const farthest = idle.reduce<InflateCursor | undefined>(
        (best, cursor) => (isFurther(cursor, best) ? cursor : best),
        undefined,
      );
      if (farthest === undefined) await new Promise<void>((wake) => this.#waiting.push(wake));
      else await this.#drop(farthest);
    }
  }

  #startCursor(): InflateCursor {
    const cursor = new InflateCursor(this.size, this.#openInput(), this.#inflate, (start, bytes) => {
      if (start > this.#headBytes || this.#headBytes === this.#head.length) return;
      const fresh = bytes.subarray(this.#headBytes - start, this.#head.length - start);
      this.#head.set(fresh, this.#headBytes);
      this.#headBytes += fresh.length;
    });
    this.#cursors.push(cursor);
    return cursor;
  }

  async #giveBack(cursor: InflateCursor, isSound: boolean): Promise<void> {
    cursor.isBusy = false;
    this.#waiting.shift()?.();
    if (!isSound) await this.#drop(cursor);
  }

  async #drop(cursor: InflateCursor): Promise<void> {
    this.#cursors = this.#cursors.filter((other) => other !== cursor);
    await cursor.close();
  }

  #openInput(): DeflatedInput {
    let fault: unknown;
    const container = this.#container;
    const { offset: start, storedBytes } = this.#step;
    async function* fetchChunks(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < storedBytes; at += FETCH_BYTES) {
        try {
          yield await readRange(container, start + at, Math.min(FETCH_BYTES, storedBytes - at));
        } catch (error) {
          fault = error ?? new Error('The source failed');
          throw error;
        }
      }
    }
    return { chunks: fetchChunks(), fault: () => fault };
  }
}

function isFurther(cursor: InflateCursor, other: InflateCursor | undefined): boolean {
  return other === undefined || cursor.position > other.position;
}
