import type { ByteSource } from '@relaypacs/core/dicom/source.js';

/** One read of a disk brings the headers of several small files, and costs a browser as much as one of a few bytes. */
const BLOCK_BYTES = 256 * 1024;
/** Blocks kept: one for each of those that read at the same time, and the next. */
const MOST_BLOCKS = 8;

/** A source that reads in blocks and keeps the last ones, for what is read in many small steps. */
export class BlockCache implements ByteSource {
  readonly size: number;
  readonly #source: ByteSource;
  /** The one used last stands last. */
  readonly #blocks = new Map<number, Promise<Uint8Array>>();

  constructor(source: ByteSource) {
    this.#source = source;
    this.size = source.size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const end = Math.min(offset + length, this.size);
    const first = Math.floor(offset / BLOCK_BYTES);
    if (end <= (first + 1) * BLOCK_BYTES) {
      const start = first * BLOCK_BYTES;
      return (await this.#block(first)).subarray(offset - start, end - start);
    }
    if (end - offset > BLOCK_BYTES) return this.#source.read(offset, end - offset);
    const [head, tail] = await Promise.all([this.#block(first), this.#block(first + 1)]);
    const boundary = (first + 1) * BLOCK_BYTES;
    const bytes = new Uint8Array(end - offset);
    bytes.set(head.subarray(offset - first * BLOCK_BYTES));
    bytes.set(tail.subarray(0, end - boundary), boundary - offset);
    return bytes;
  }

  #block(index: number): Promise<Uint8Array> {
    const block =
      this.#blocks.get(index) ??
      this.#source.read(index * BLOCK_BYTES, Math.min(BLOCK_BYTES, this.size - index * BLOCK_BYTES));
    this.#blocks.delete(index);
    this.#blocks.set(index, block);
    const [oldest] = this.#blocks.keys();
    if (this.#blocks.size > MOST_BLOCKS && oldest !== undefined) this.#blocks.delete(oldest);
    return block;
  }
}
