import type { ByteSource } from '../dicom/source.js';
import { readRange } from './read-range.js';

/** A source that may have a way to stream a range (of at least one byte, within its size) without many reads. */
export interface StreamingSource extends ByteSource {
  stream?(offset: number, length: number): AsyncIterable<Uint8Array>;
}

/** Bytes fetched at once from a source that cannot stream. */
const FETCH_BYTES = 256 * 1024;

/** Content that lies in its container as it is: a view of a range. */
export class StoredContent implements ByteSource {
  readonly size: number;
  readonly #container: StreamingSource;
  readonly #start: number;

  constructor(container: StreamingSource, start: number, size: number) {
    this.#container = container;
    this.#start = start;
    this.size = size;
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return readRange(this.#container, this.#start + offset, Math.min(length, this.size - offset));
  }

  /** @throws Error when the source ends its stream early */
  async *stream(offset: number, length: number): AsyncGenerator<Uint8Array> {
    const expected = Math.max(0, Math.min(length, this.size - offset));
    if (expected === 0) return;
    if (this.#container.stream === undefined) {
      for (let at = 0; at < expected; at += FETCH_BYTES) {
        yield await this.read(offset + at, Math.min(FETCH_BYTES, expected - at));
      }
      return;
    }
    let streamed = 0;
    for await (const chunk of this.#container.stream(this.#start + offset, expected)) {
      streamed += chunk.length;
      yield chunk;
    }
    if (streamed !== expected) throw new Error(`Source streamed ${streamed} of ${expected} bytes`);
  }

  async close(): Promise<void> {}
}
