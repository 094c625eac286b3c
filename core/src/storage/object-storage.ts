import type { Readable } from 'node:stream';

/** The bytes of one uploaded file, read by range; never wholly in memory. */
export interface StoredObject {
  /** Bytes. */
  readonly size: number;
  /** Up to `length` bytes from `offset`; fewer only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** A stream of `length` bytes from `offset`. */
  stream(offset: number, length: number): Readable;
  close(): Promise<void>;
}

/** Thrown when an object that should be there is not. */
export class ObjectMissing extends Error {
  constructor(key: string) {
    super(`There are no bytes stored under ${key}`);
    this.name = 'ObjectMissing';
  }
}

/** Where uploaded bytes lie. A key is the id of the upload file. */
export interface ObjectStorage {
  /** @throws ObjectMissing */
  open(key: string): Promise<StoredObject>;
  /** Removes the object; no error when it is already gone. */
  remove(key: string): Promise<void>;
  /** Every object that was last written before `before`. */
  listKeys(before: Date): AsyncIterable<string>;
  /** Resolves when the storage can be written to; rejects with the reason when not. */
  check(): Promise<void>;
}
