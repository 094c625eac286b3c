import type { ByteSource } from '../dicom/source.js';
import { readRange } from './read-range.js';

/** Reads records that follow each other, many with one read of the source. */
export class ForwardWindow {
  readonly #source: ByteSource;
  readonly #windowBytes: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;

  constructor(source: ByteSource, windowBytes: number) {
    this.#source = source;
    this.#windowBytes = windowBytes;
  }

  /** `length` bytes at `offset`, fewer where the source ends. */
  async at(offset: number, length: number): Promise<Uint8Array> {
    const end = Math.min(offset + length, this.#source.size);
    if (offset < this.#start || end > this.#start + this.#bytes.length) {
      this.#bytes = await readRange(this.#source, offset, Math.max(length, this.#windowBytes));
      this.#start = offset;
    }
    return this.#bytes.subarray(offset - this.#start, Math.max(end, offset) - this.#start);
  }
}
