import { randomBytes } from 'node:crypto';

const KEY = /^[A-Za-z0-9-]{1,64}$/;

/**
 * A key for a new object of a file. Never the same twice: a write that was given up and still arrives late cannot
 * touch what was written after it.
 */
export function newSegmentKey(fileId: string): string {
  return `${fileId}-${randomBytes(8).toString('hex')}`;
}

/** True for what can be a key of ours; anything else in a folder or bucket is not ours to read or remove. */
export function isSegmentKey(key: string): boolean {
  return KEY.test(key);
}
