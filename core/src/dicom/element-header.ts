import type { Encoding } from './encoding.js';
import { EXPLICIT_BIG, EXPLICIT_LITTLE, hasLongLength, IMPLICIT_LITTLE, isKnownVr } from './encoding.js';
import type { ReadWindow } from './read-window.js';

export const UNDEFINED_LENGTH = 0xffffffff;

/** Longest header of a data element, in bytes. */
export const MAX_HEADER_BYTES = 12;

/** Group of items and delimiters, which have no VR in any encoding (PS3.5 §7.5). */
export const DELIMITER_GROUP = 0xfffe;

/** Tag, type and length of one data element (PS3.5 §7.1). */
export interface ElementHeader {
  tag: number;
  /** Empty in implicit VR. */
  vr: string;
  /** Length of the value in bytes, or `UNDEFINED_LENGTH`. */
  length: number;
  headerBytes: number;
}

export function readTag(window: ReadWindow, offset: number, littleEndian: boolean): number {
  return ((window.uint16(offset, littleEndian) << 16) | window.uint16(offset + 2, littleEndian)) >>> 0;
}

/**
 * Reads the header at `offset`, of which at least 8 bytes must be in the window.
 * @returns `undefined` where `limit` cuts the header off
 */
export function readElementHeader(
  window: ReadWindow,
  offset: number,
  limit: number,
  { explicitVr, littleEndian }: Encoding,
): ElementHeader | undefined {
  const tag = readTag(window, offset, littleEndian);
  if (!explicitVr || tag >>> 16 === DELIMITER_GROUP) {
    return { tag, vr: '', length: window.uint32(offset + 4, littleEndian), headerBytes: 8 };
  }
  const vr = String.fromCharCode(window.byteAt(offset + 4), window.byteAt(offset + 5));
  if (!hasLongLength(vr)) {
    return { tag, vr, length: window.uint16(offset + 6, littleEndian), headerBytes: 8 };
  }
  if (limit - offset < 12) return undefined;
  return { tag, vr, length: window.uint32(offset + 8, littleEndian), headerBytes: 12 };
}

/** Whether the first two data elements at `offset` make sense: known VRs, ascending tags, lengths that fit. */
export function isPlausible(window: ReadWindow, offset: number, limit: number, encoding: Encoding): boolean {
  let position = offset;
  let previousTag = -1;
  for (let count = 0; count < 2 && position < limit && window.has(position, MAX_HEADER_BYTES); count += 1) {
    if (limit - position < 8) return false;
    const header = readElementHeader(window, position, limit, encoding);
    if (header === undefined || header.tag <= previousTag) return false;
    const { tag, vr, length, headerBytes } = header;
    if (tag >>> 16 === DELIMITER_GROUP) return true;
    if (encoding.explicitVr && !isKnownVr(vr)) return false;
    if (length === UNDEFINED_LENGTH) return true;
    position += headerBytes + length;
    if (position > limit) return false;
    previousTag = tag;
  }
  return true;
}

/**
 * Works out the encoding of a data set from its first element, in the way of DCMTK, so that we read what a PACS will
 * read: a VR of the standard means explicit, a group number above 00FF big endian.
 *
 * @returns `undefined` when the first two elements make no sense that way
 */
export function detectEncoding(window: ReadWindow, offset: number): Encoding | undefined {
  if (window.size - offset < 8) return undefined;
  const vr = String.fromCharCode(window.byteAt(offset + 4), window.byteAt(offset + 5));
  const bigEndian = window.uint16(offset, true) > 0xff;
  const explicit = bigEndian ? EXPLICIT_BIG : EXPLICIT_LITTLE;
  const encoding = isKnownVr(vr) ? explicit : IMPLICIT_LITTLE;
  return isPlausible(window, offset, window.size, encoding) ? encoding : undefined;
}
