import { Inflate } from 'fflate';
import { ScanRejection } from './findings.js';
import type { ScanLimits } from './limits.js';
import type { ScanClock } from './scan-clock.js';
import type { ByteSource } from './source.js';

/** Deflated bytes inflated at once: at deflate's best ratio of 1032:1 they grow to 8 MiB. */
const PUSH_BYTES = 8 * 1024;
/** Inflated bytes kept in memory, enough for nearly every header. */
const HEAD_BYTES = 1024 * 1024;
/** Deflated bytes without any output after which the stream must have ended before its file did. */
const MAX_IDLE_BYTES = 256 * 1024;

/**
 * Inflates a raw deflate stream (RFC 1951) from `start` to the end of the source, chunk by chunk.
 * @throws ScanRejection `DEFLATE_CORRUPT`, `INFLATE_LIMIT` or `SCAN_TIMEOUT`
 */
async function* inflateChunks(
  source: ByteSource,
  start: number,
  limits: ScanLimits,
  clock: ScanClock,
): AsyncGenerator<Uint8Array> {
  let output: Uint8Array[] = [];
  const inflate = new Inflate((chunk) => output.push(chunk));
  let inflated = 0;
  let idle = 0;
  for (let offset = start; offset < source.size; offset += limits.windowBytes) {
    const block = await source.read(offset, limits.windowBytes);
    for (let at = 0; at < block.length; at += PUSH_BYTES) {
      const piece = block.subarray(at, at + PUSH_BYTES);
      try {
        inflate.push(piece, offset + at + piece.length === source.size);
      } catch {
        throw new ScanRejection('DEFLATE_CORRUPT', { offset: offset + at });
      }
      const grown = output.reduce((sum, chunk) => sum + chunk.length, 0);
      inflated += grown;
      idle = grown === 0 ? idle + piece.length : 0;
      if (idle > MAX_IDLE_BYTES) throw new ScanRejection('DEFLATE_CORRUPT', { offset: offset + at });
      checkGrowth(inflated, offset + at + piece.length - start, limits);
      clock.check();
      yield* output;
      output = [];
    }
  }
}

function checkGrowth(inflated: number, deflated: number, limits: ScanLimits): void {
  const steep = inflated > limits.inflateRatioFloorBytes && inflated > deflated * limits.maxInflateRatio;
  if (steep || inflated > limits.maxInflatedBytes) throw new ScanRejection('INFLATE_LIMIT');
}

/**
 * The inflated data set of a Deflated Explicit VR Little Endian file (PS3.5 §A.5) as a source. It is inflated once
 * to learn its size and keep its head, and once more only when a parser reads beyond that head; pixels pass by
 * chunk by chunk and are never held together.
 */
export class InflatedSource implements ByteSource {
  readonly size: number;
  readonly #head: Uint8Array;
  readonly #restart: () => AsyncGenerator<Uint8Array>;
  #chunks: AsyncGenerator<Uint8Array> | undefined;
  #chunk: Uint8Array = new Uint8Array(0);
  #chunkStart = 0;

  private constructor(size: number, head: Uint8Array, restart: () => AsyncGenerator<Uint8Array>) {
    this.size = size;
    this.#head = head;
    this.#restart = restart;
  }

  /** @throws ScanRejection `DEFLATE_CORRUPT`, `INFLATE_LIMIT` or `SCAN_TIMEOUT` */
  static async open(
    source: ByteSource,
    start: number,
    limits: ScanLimits,
    clock: ScanClock,
  ): Promise<InflatedSource> {
    const restart = () => inflateChunks(source, start, limits, clock);
    const head: Uint8Array[] = [];
    let size = 0;
    let held = 0;
    for await (const chunk of restart()) {
      if (held < HEAD_BYTES) {
        head.push(chunk.slice(0, HEAD_BYTES - held));
        held += Math.min(chunk.length, HEAD_BYTES - held);
      }
      size += chunk.length;
    }
    return new InflatedSource(size, concatenate(head, held), restart);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const end = Math.min(offset + length, this.size);
    if (end <= this.#head.length) return this.#head.subarray(offset, end);
    if (this.#chunks === undefined || offset < this.#chunkStart) {
      this.#chunks = this.#restart();
      this.#chunk = new Uint8Array(0);
      this.#chunkStart = 0;
    }
    const parts: Uint8Array[] = [];
    let position = offset;
    while (position < end) {
      const chunkEnd = this.#chunkStart + this.#chunk.length;
      if (position < chunkEnd) {
        const part = this.#chunk.subarray(position - this.#chunkStart, end - this.#chunkStart);
        parts.push(part);
        position += part.length;
      } else {
        const next = await this.#chunks.next();
        if (next.done === true) break;
        this.#chunkStart = chunkEnd;
        this.#chunk = next.value;
      }
    }
    return concatenate(parts, position - offset);
  }
}

function concatenate(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
