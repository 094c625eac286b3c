import { randomBytes } from 'node:crypto';

/** Nothing that could climb out of a folder. */
const SAFE = /^[A-Za-z0-9-]{1,64}$/;
/** A UUID, and what {@link newSegmentKey} puts behind it. */
const OURS = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9a-f]{16}$/;

/**
 * A key for a new object of a file. Never the same twice: a write that was given up and still arrives late cannot
 * touch what was written after it.
 */
export function newSegmentKey(fileId: string): string {
  return `${fileId}-${randomBytes(8).toString('hex')}`;
}

/** True for a key that can be used as a name in a folder or bucket. */
export function isSafeKey(key: string): boolean {
  return SAFE.test(key);
}

/** True for a key that {@link newSegmentKey} made: anything else is not ours to list, and so never to remove. */
export function isSegmentKey(key: string): boolean {
  return OURS.test(key);
}
