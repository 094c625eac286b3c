import { viewOf } from './read-range.js';

/** Local file header up to its name (APPNOTE 4.3.7). */
export const LOCAL_HEADER_BYTES = 30;
export const LOCAL_SIGNATURE = 0x04034b50;
/** Sizes and checksum follow the data (APPNOTE 4.4.4, bit 3). */
export const DESCRIPTOR_FLAG = 8;

export interface LocalHeader {
  flags: number;
  method: number;
  crc32: number;
  storedBytes: number;
  bytes: number;
  nameBytes: number;
  extraBytes: number;
}

/** `undefined` where no whole local header begins. */
export function parseLocalHeader(head: Uint8Array): LocalHeader | undefined {
  if (head.length < LOCAL_HEADER_BYTES) return undefined;
  const view = viewOf(head);
  if (view.getUint32(0, true) !== LOCAL_SIGNATURE) return undefined;
  return {
    flags: view.getUint16(6, true),
    method: view.getUint16(8, true),
    crc32: view.getUint32(14, true),
    storedBytes: view.getUint32(18, true),
    bytes: view.getUint32(22, true),
    nameBytes: view.getUint16(26, true),
    extraBytes: view.getUint16(28, true),
  };
}
