import type { EntryName } from './entry-names.js';
import type { EntryRefusal, EntryRefusalCode } from './refusals.js';

/** One file in a ZIP, as its directory describes it. */
export interface ZipEntry {
  /** Cleaned, with forward slashes; safe to show and to join even where the entry is refused. */
  path: string;
  /** Packed size in bytes. */
  storedBytes: number;
  /** Unpacked size in bytes. */
  bytes: number;
  /** CRC-32 of the unpacked content. */
  crc32: number;
  /** 0 is stored, 8 deflated (APPNOTE 4.4.5); others are refused. */
  method: number;
  /** Where its local header begins in the source; what lies before the archive is counted. */
  headerOffset: number;
  /** Why this file is not taken. */
  refusal?: EntryRefusal;
}

export const STORED = 0;
export const DEFLATED = 8;

/** What a header says of an entry, before it is judged. */
export interface EntryRecord {
  name: EntryName;
  flags: number;
  method: number;
  crc32: number;
  bytes: number;
  storedBytes: number;
  headerOffset: number;
  /** Where the data ends at the earliest: what the local header adds to its length is not known yet. */
  endOffset: number;
  /** What was found wrong with the record itself. */
  fault?: EntryRefusalCode;
}

/** Encrypted, strongly encrypted, or with masked header values (APPNOTE 4.4.4, bits 0, 6 and 13). */
const ENCRYPTION_FLAGS = 0x2041;
/** AES encryption as WinZip does it stands in place of the method (APPNOTE appendix E). */
const METHOD_AES = 99;

export function isEncrypted({ flags, method }: { flags: number; method: number }): boolean {
  return (flags & ENCRYPTION_FLAGS) !== 0 || method === METHOD_AES;
}
