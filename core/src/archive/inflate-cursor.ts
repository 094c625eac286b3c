import { ContentDamaged } from './refusals.js';

/** Turns the chunks of a raw deflate stream (RFC 1951) into those of the content; rejects where it is illegible. */
export type InflateRaw = (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** Inflated bytes kept behind the position: parsers go back to the start of what reaches beyond their window. */
const LOOK_BACK_BYTES = 128 * 1024;

/** Bytes that are to be inflated, and what went wrong while they were fetched. */
export interface DeflatedInput {
  chunks: AsyncIterable<Uint8Array>;
  /** The fault of the source, if it had one: it is passed on as it is, and not taken for damage. */
  fault(): unknown;
}

interface Piece {
  start: number;
  bytes: Uint8Array;
}

/** A position in inflated content, which moves forward only, and the last bytes that went by. */
export class InflateCursor {
  /** Bytes inflated so far. */
  position = 0;
  isBusy = false;
  readonly #size: number;
  readonly #input: DeflatedInput;
  readonly #output: AsyncIterator<Uint8Array>;
  readonly #onOutput: (start: number, bytes: Uint8Array) => void;
  #recent: Piece[] = [];

  /**
   * @param size bytes the content must have
   * @param onOutput told of all inflated bytes, in order
   */
  constructor(
    size: number,
    input: DeflatedInput,
    inflate: InflateRaw,
    onOutput: (start: number, bytes: Uint8Array) => void,
  ) {
    this.#size = size;
    this.#input = input;
    this.#output = inflate(input.chunks)[Symbol.asyncIterator]();
    this.#onOutput = onOutput;
  }

  /** Offset of the first byte that can still be read. */
  get floor(): number {
    return this.#recent[0]?.start ?? this.position;
  }

  /**
   * Bytes from `offset` on (`floor <= offset < size`), at least one and at most `maxBytes`.
   * @throws ContentDamaged `ENTRY_DAMAGED` when the content is illegible, shorter or longer than it must be
   */
  async chunkAt(offset: number, maxBytes: number): Promise<Uint8Array> {
    while (this.position <= offset) await this.#advance();
    const piece = this.#recent.findLast(({ start }) => start <= offset);
    if (piece === undefined) throw new RangeError(`Offset ${offset} lies before ${this.floor}`);
    return piece.bytes.subarray(offset - piece.start, offset - piece.start + maxBytes);
  }

  async close(): Promise<void> {
    this.#recent = [];
    await this.#output.return?.();
  }

  async #advance(): Promise<void> {
    const bytes = await this.#next();
    if (bytes === undefined) throw new ContentDamaged();
    const start = this.position;
    this.position += bytes.length;
    // One more byte than announced is as wrong as a million: the sizes are what the limits were checked against.
    if (this.position > this.#size) throw new ContentDamaged();
    if (this.position === this.#size && (await this.#next()) !== undefined) throw new ContentDamaged();
    this.#recent.push({ start, bytes });
    // A cleared prefix instead of a shift each: small pieces must not let large ones pile up behind them.
    const kept = this.#recent.findIndex(
      (piece) => piece.start + piece.bytes.length + LOOK_BACK_BYTES > this.position,
    );
    this.#recent.splice(0, kept);
    this.#onOutput(start, bytes);
  }

  /** The next chunk that is not empty; `undefined` at the end. */
  async #next(): Promise<Uint8Array | undefined> {
    try {
      for (;;) {
        const { done, value } = await this.#output.next();
        if (done === true) return undefined;
        if (value.length > 0) return value;
      }
    } catch (error) {
      const fault = this.#input.fault();
      if (fault !== undefined) throw fault;
      throw error instanceof ContentDamaged ? error : new ContentDamaged('ENTRY_DAMAGED', { cause: error });
    }
  }
}
