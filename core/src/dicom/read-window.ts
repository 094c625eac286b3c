import { ScanRejection } from './findings.js';
import type { ByteSource } from './source.js';

/**
 * A view on the part of a source that is being parsed. The parser asks `has` (cheap, synchronous) before each
 * step and awaits `load` only when it runs out of the window, so a header of a few KiB costs a single read.
 */
export class ReadWindow {
  /** Length of the source in bytes. */
  readonly size: number;
  /** The bytes in memory; their first one lies at `start` in the source. */
  bytes: Uint8Array = new Uint8Array(0);
  view = new DataView(this.bytes.buffer);
  start = 0;
  readonly #source: ByteSource;
  readonly #windowBytes: number;
  #budget: number;

  /** @param budget bytes that `load` may read in all before the header counts as too large */
  constructor(source: ByteSource, windowBytes: number, budget: number) {
    this.#source = source;
    this.size = source.size;
    this.#windowBytes = windowBytes;
    this.#budget = budget;
  }

  /** Whether `length` bytes from `offset` (clamped to the end of the source) are in memory. */
  has(offset: number, length: number): boolean {
    const end = Math.min(offset + length, this.size);
    return offset >= this.start && end <= this.start + this.bytes.length;
  }

  /**
   * Moves the window to `offset` and reads at least `length` bytes, or up to the end of the source.
   * @throws ScanRejection `HEADER_TOO_LARGE` when the budget is spent.
   */
  async load(offset: number, length: number): Promise<void> {
    const wanted = Math.min(Math.max(length, this.#windowBytes), this.size - offset);
    this.#budget -= wanted;
    if (this.#budget < 0) throw new ScanRejection('HEADER_TOO_LARGE', { offset });
    await this.#moveTo(offset, wanted);
  }

  /** Reads exactly `length` bytes from `offset`, outside of the budget: for the 8-byte headers of fragments. */
  async loadExactly(offset: number, length: number): Promise<void> {
    await this.#moveTo(offset, Math.min(length, this.size - offset));
  }

  async #moveTo(offset: number, length: number): Promise<void> {
    const bytes = await this.#source.read(offset, length);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.start = offset;
  }

  /** A copy of `length` bytes at `offset`, which must be in the window. */
  copy(offset: number, length: number): Uint8Array {
    return this.bytes.slice(offset - this.start, offset - this.start + length);
  }

  /** The byte at `offset`, which must be in the window. */
  byteAt(offset: number): number {
    return this.view.getUint8(offset - this.start);
  }

  uint16(offset: number, littleEndian: boolean): number {
    return this.view.getUint16(offset - this.start, littleEndian);
  }

  uint32(offset: number, littleEndian: boolean): number {
    return this.view.getUint32(offset - this.start, littleEndian);
  }
}
