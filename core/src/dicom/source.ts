/**
 * Where the bytes of one file come from: a stored object read by range, a file on disk, an entry of a
 * stored ZIP, or a browser `File`.
 */
export interface ByteSource {
  /** Total length in bytes. */
  readonly size: number;
  /**
   * Reads `length` bytes from `offset` (both in bytes, `offset <= size`). Fewer bytes may come back only where
   * the source ends. A rejection is a fault of the storage, never of the file.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A source over bytes that are already in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  };
}

/** A source over a browser `File` or `Blob`, read slice by slice. */
export function blobSource(blob: Blob): ByteSource {
  return {
    size: blob.size,
    read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}

/**
 * Counts what is read from a source, and how long the source took, so that the time limit of a scan measures
 * the scanner's own work: a slow disk or object store must not make a good file look bad.
 */
export class MeteredSource implements ByteSource {
  readonly size: number;
  reads = 0;
  bytesRead = 0;
  /** Milliseconds spent waiting for the source. */
  waitedMs = 0;
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    this.#source = source;
    this.size = source.size;
  }

  /** @throws Error when the source breaks its contract by returning too few bytes. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const expected = Math.max(0, Math.min(length, this.size - offset));
    const startedAt = performance.now();
    const bytes = await this.#source.read(offset, expected);
    this.waitedMs += performance.now() - startedAt;
    this.reads += 1;
    this.bytesRead += bytes.length;
    if (bytes.length < expected) {
      throw new Error(`Source returned ${bytes.length} of ${expected} bytes at offset ${offset}`);
    }
    return bytes.length > expected ? bytes.subarray(0, expected) : bytes;
  }
}
