import { decodeCp437 } from './cp437.js';
import { Crc32 } from './crc32.js';
import { findExtraField } from './extra-fields.js';
import type { ArchiveLimits } from './limits.js';
import { viewOf } from './read-range.js';
import type { EntryRefusalCode } from './refusals.js';

export interface RawName {
  /** As it is written in the header. */
  bytes: Uint8Array;
  /** General purpose flags; bit 11 marks UTF-8. */
  flags: number;
  /** Upper byte of "version made by" (APPNOTE 4.4.2); `undefined` where only a local header is known. */
  hostSystem?: number | undefined;
  extra: Uint8Array;
}

export interface EntryName {
  /** Forward slashes, no empty part, no `.` or `..`, no drive: safe to show and to join. */
  path: string;
  isFolder: boolean;
  refusal?: EntryRefusalCode;
}

const UTF8_FLAG = 0x800;
const UNICODE_PATH = 0x7075;
const UNIX = 3;
const MACOS = 19;
/** Marks that reorder text are replaced as well: "gpj.exe" must not show as "exe.jpg". */
const INVISIBLE = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** The name of an entry, cleaned; with a refusal where it climbs, is absolute, too long or too deep. */
export function readEntryName(raw: RawName, limits: Readonly<ArchiveLimits>): EntryName {
  const tooLong = raw.bytes.length > limits.maxNameBytes;
  const text = decodeName(raw, limits.maxNameBytes);
  // Some Windows programs write backslashes, against APPNOTE 4.4.17.1; read as a name they would hide a climb.
  const slashed = text.replaceAll('\\', '/');
  const parts = slashed.split('/').filter((part) => part !== '' && part !== '.');
  const safeParts = parts.filter((part) => part !== '..');
  const isFolder = slashed.endsWith('/') && !tooLong;
  const path = safeParts
    .join('/')
    .replace(/^[a-z]:\/?/i, '')
    .replace(INVISIBLE, '\ufffd');
  const isUnsafe =
    /^(\/|[a-z]:)/i.test(slashed) || text.includes('\0') || safeParts.length < parts.length || path === '';
  if (isUnsafe) return { path, isFolder, refusal: 'ENTRY_PATH_UNSAFE' };
  const isTooDeep = parts.length - 1 > limits.maxPathDepth;
  if (tooLong || isTooDeep) return { path, isFolder, refusal: 'ENTRY_NAME_TOO_LONG' };
  return { path, isFolder };
}

/** Decodes no more than `maxBytes` of either name, so that 20,000 names of 64 KiB do not fill the memory. */
function decodeName(raw: RawName, maxBytes: number): string {
  const { flags, hostSystem, extra } = raw;
  const unicode = readUnicodePath(extra, raw.bytes);
  const unicodeText = unicode !== undefined && unicode.length <= maxBytes ? decodeUtf8(unicode) : undefined;
  if (unicodeText !== undefined) return unicodeText;
  const bytes = raw.bytes.subarray(0, maxBytes);
  // The archivers of macOS and of Linux write UTF-8 without saying so; other text hardly ever passes for it.
  const maybeUtf8 = (flags & UTF8_FLAG) !== 0 || hostSystem === UNIX || hostSystem === MACOS;
  return (maybeUtf8 ? decodeUtf8(bytes) : undefined) ?? decodeCp437(bytes);
}

/** Info-ZIP Unicode Path (APPNOTE 4.6.9): it counts only while its checksum is that of the name it replaces. */
function readUnicodePath(extra: Uint8Array, rawName: Uint8Array): Uint8Array | undefined {
  const field = findExtraField(extra, UNICODE_PATH);
  if (field === undefined || field.length < 5 || field[0] !== 1) return undefined;
  const isForThisName = viewOf(field).getUint32(1, true) === new Crc32().update(rawName).value;
  return isForThisName ? field.subarray(5) : undefined;
}

/** `undefined` where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
