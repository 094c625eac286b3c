import type { ByteSource } from '../dicom/source.js';
import { Crc32 } from './crc32.js';
import { decodeUtf8, readEntryName } from './entry-names.js';
import type { ArchiveLimits } from './limits.js';
import { readRange, viewOf } from './read-range.js';
import type { EntryRefusal } from './refusals.js';
import { entryRefusal } from './refusals.js';

export interface GzipHeader {
  /** Length of the header; the deflated data begins behind it. */
  bytes: number;
  name: string | undefined;
  /** Size of the first member where the file says so: bgzip writes one for each 64 KiB. */
  blockedMemberBytes: number | undefined;
}

const FIXED_BYTES = 10;
/** Enough for nearly every header; a longer one is read once more, up to the limit. */
const FIRST_READ_BYTES = 1024;
const MAX_HEADER_BYTES = 256 * 1024;
/** FLG (RFC 1952 §2.3.1). */
const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 };

/** Reads a member header (RFC 1952 §2.3), of at most 256 KiB. */
export async function readGzipHeader(
  source: ByteSource,
  limits: Readonly<ArchiveLimits>,
): Promise<GzipHeader | EntryRefusal> {
  const first = await readRange(source, 0, FIRST_READ_BYTES);
  if (first.length < FIXED_BYTES) return entryRefusal('ENTRY_TRUNCATED');
  if (first[0] !== 0x1f || first[1] !== 0x8b) return entryRefusal('ENTRY_DAMAGED');
  if (first[2] !== 8) return entryRefusal('ENTRY_METHOD_UNKNOWN');
  if (((first[3] ?? 0) & FLAG.reserved) !== 0) return entryRefusal('ENTRY_DAMAGED');
  const header =
    parseHeader(first, limits) ?? parseHeader(await readRange(source, 0, MAX_HEADER_BYTES), limits);
  return header ?? entryRefusal(source.size <= MAX_HEADER_BYTES ? 'ENTRY_TRUNCATED' : 'ENTRY_DAMAGED');
}

/** `undefined` where the header is longer than these bytes. */
function parseHeader(
  bytes: Uint8Array,
  limits: Readonly<ArchiveLimits>,
): GzipHeader | EntryRefusal | undefined {
  const view = viewOf(bytes);
  const flags = view.getUint8(3);
  let offset = FIXED_BYTES;
  let extra = new Uint8Array(0);
  if (flags & FLAG.extra) {
    if (offset + 2 > bytes.length) return undefined;
    const end = offset + 2 + view.getUint16(offset, true);
    extra = bytes.slice(offset + 2, end);
    offset = end;
  }
  const nameStart = offset;
  if (flags & FLAG.name) offset = endOfText(bytes, offset);
  const name = flags & FLAG.name ? bytes.subarray(nameStart, offset - 1) : undefined;
  if (flags & FLAG.comment) offset = endOfText(bytes, offset);
  if (flags & FLAG.headerCrc) {
    if (offset + 2 > bytes.length) return undefined;
    const crc = new Crc32().update(bytes.subarray(0, offset)).value & 0xffff;
    if (crc !== view.getUint16(offset, true)) return entryRefusal('ENTRY_DAMAGED');
    offset += 2;
  }
  if (offset > bytes.length) return undefined;
  return {
    bytes: offset,
    name: name && readFileName(name, limits),
    blockedMemberBytes: readBlockBytes(extra),
  };
}

/** Behind the zero that ends a text; behind everything where there is none. */
function endOfText(bytes: Uint8Array, start: number): number {
  const end = start > bytes.length ? -1 : bytes.indexOf(0, start);
  return end === -1 ? Number.POSITIVE_INFINITY : end + 1;
}

/** Latin-1 by RFC 1952 §2.3.1, UTF-8 in fact. A name that is no use counts as none: the file has one of its own. */
function readFileName(bytes: Uint8Array, limits: Readonly<ArchiveLimits>): string | undefined {
  const text = decodeUtf8(bytes) ?? String.fromCharCode(...bytes.subarray(0, limits.maxNameBytes));
  const base = new TextEncoder().encode(text.split(/[/\\]/).at(-1) ?? '');
  const { path, refusal } = readEntryName({ bytes: base, flags: 0x800, extra: new Uint8Array(0) }, limits);
  return refusal === undefined ? path : undefined;
}

/** BGZF (SAM specification §4.1): subfield "BC" holds the size of its member less one. */
function readBlockBytes(extra: Uint8Array): number | undefined {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length; at += 4 + view.getUint16(at + 2, true)) {
    const isBlockSize = extra[at] === 0x42 && extra[at + 1] === 0x43 && view.getUint16(at + 2, true) === 2;
    if (isBlockSize && at + 6 <= extra.length) return view.getUint16(at + 4, true) + 1;
  }
  return undefined;
}
