import { readUint64, viewOf } from './read-range.js';

/** The value that says "see the ZIP64 extra field" (APPNOTE 4.4.8, 4.4.9, 4.4.16). */
export const SATURATED = 0xffffffff;

const ZIP64 = 0x0001;

/**
 * The data of the first extra field with this id (APPNOTE 4.5.1). A field that reaches beyond the others ends the
 * search: some writers pad with bytes that are no field at all.
 */
export function findExtraField(extra: Uint8Array, id: number): Uint8Array | undefined {
  const view = viewOf(extra);
  let offset = 0;
  while (offset + 4 <= extra.length) {
    const end = offset + 4 + view.getUint16(offset + 2, true);
    if (end > extra.length) return undefined;
    if (view.getUint16(offset, true) === id) return extra.subarray(offset + 4, end);
    offset = end;
  }
  return undefined;
}

export interface EntryExtent {
  /** Unpacked size in bytes. */
  bytes: number;
  /** Packed size in bytes. */
  storedBytes: number;
  headerOffset: number;
}

/**
 * Puts the 64-bit values in place of the saturated ones; the extra field holds those only, in this order (APPNOTE
 * 4.5.3). `undefined` when the field lacks one of them.
 */
export function widenExtent(extent: EntryExtent, extra: Uint8Array): EntryExtent | undefined {
  const { bytes, storedBytes, headerOffset } = extent;
  if (bytes !== SATURATED && storedBytes !== SATURATED && headerOffset !== SATURATED) return extent;
  const field = findExtraField(extra, ZIP64);
  if (field === undefined) return undefined;
  const view = viewOf(field);
  let offset = 0;
  const widen = (value: number): number => {
    if (value !== SATURATED) return value;
    offset += 8;
    return offset <= field.length ? readUint64(view, offset - 8) : Number.NaN;
  };
  const wide = {
    bytes: widen(bytes),
    storedBytes: widen(storedBytes),
    headerOffset: widen(headerOffset),
  };
  return offset <= field.length ? wide : undefined;
}
