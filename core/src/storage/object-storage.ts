/** The bytes of one object, or of one uploaded file, read by range; never wholly in memory. */
export interface StoredObject {
  /** Bytes. */
  readonly size: number;
  /** Up to `length` bytes from `offset`; fewer only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** `length` bytes from `offset`, read as they are asked for. */
  stream(offset: number, length: number, options?: StreamOptions): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

export interface StreamOptions {
  /**
   * Chunks of {@link LENT_BYTES} or more are only lent: they are filled with other bytes, perhaps of another object, once
   * the next one is asked for. Whoever ends before that keeps the last one.
   */
  lent?: boolean;
}

/** Smaller chunks are never lent: they may lie in queues that are not waited for. */
export const LENT_BYTES = 128 * 1024;

/** Thrown when an object that should be there is not, or is shorter than it was. */
export class ObjectMissing extends Error {
  constructor(key: string) {
    super(`The bytes stored under ${key} are not all there`);
    this.name = 'ObjectMissing';
  }
}

/** Thrown when the storage is full, or does not answer: what was recorded before is safe, later it may work. */
export class StorageUnavailable extends Error {
  constructor(cause: unknown) {
    super('The storage does not take bytes just now', { cause });
    this.name = 'StorageUnavailable';
  }
}

/**
 * A run of a file's bytes that lies in one object: from `start` to where the next segment begins, or to the end of
 * what was acknowledged. The bytes an object holds beyond that do not count.
 */
export interface Segment {
  /** Where it begins in the file, in bytes. */
  start: number;
  /** Its object. */
  key: string;
}

/**
 * Writes the bytes of a file from a certain offset on, into new objects. Nothing counts before {@link sync} has
 * resolved and its segments are recorded; bytes that are recorded are never overwritten. An object is written by one
 * writer only, and never again once that is closed: a writer that was given up and is only slow harms nobody.
 */
export interface SegmentWriter {
  /**
   * Takes bytes in and resolves when more may come. The chunks belong to the writer from then on.
   *
   * @throws when the storage does not take them; what was appended before can still be synced
   */
  append(chunks: readonly Uint8Array[]): Promise<void>;
  /**
   * Makes everything that was appended durable.
   *
   * @returns segments begun since the last sync, in order; they must be recorded before the bytes are acknowledged
   * @throws when that is not certain; then nothing since the last sync may be recorded
   */
  sync(): Promise<Segment[]>;
  /** Drops what was appended since the last sync: the next bytes begin where those ended. */
  discard(): Promise<void>;
  /** Gives memory and handles back. What was not synced is dropped. */
  close(): Promise<void>;
}

export interface WriterOptions {
  fileId: string;
  /** Where the next byte goes in the file. */
  offset: number;
}

/** Where uploaded bytes lie: objects under keys of our own, each a piece of an uploaded file. */
export interface ObjectStorage {
  /**
   * @param length - bytes of the object that are to be read
   * @throws ObjectMissing when it is not there or shorter
   */
  open(key: string, length: number): Promise<StoredObject>;
  /** Begins to write; touches the storage only with the first bytes. */
  write(options: WriterOptions): SegmentWriter;
  /** Removes objects; no error for those that are gone already. */
  remove(keys: readonly string[]): Promise<void>;
  /** Every object that was last written before `before`. */
  listKeys(before: Date): AsyncIterable<string>;
  /** Resolves when the storage can be written to; rejects with the reason when not. */
  check(): Promise<void>;
}
