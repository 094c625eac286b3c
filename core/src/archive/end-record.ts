import type { ByteSource } from '../dicom/source.js';
import { RECORD_SIGNATURE } from './directory-records.js';
import { SATURATED } from './extra-fields.js';
import { LOCAL_SIGNATURE } from './local-header.js';
import { readRange, readUint64, viewOf } from './read-range.js';
import { ArchiveRefusal } from './refusals.js';

/** End of central directory record (APPNOTE 4.3.16), without its comment. */
const END_BYTES = 22;
const END_SIGNATURE = 0x06054b50;
/** ZIP64 end record and its locator (APPNOTE 4.3.14, 4.3.15). */
const END64_BYTES = 56;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR_BYTES = 20;
const LOCATOR_SIGNATURE = 0x07064b50;
const MAX_COMMENT_BYTES = 0xffff;
const SATURATED_16 = 0xffff;
/** End records that are followed up: a hostile comment can hold 3,000, each worth a read. */
const MAX_CANDIDATES = 16;

export interface DirectoryPlace {
  /** Where the central directory begins in the source. */
  start: number;
  bytes: number;
  /** Entries as announced; not to be trusted. */
  entries: number;
  /** What must be added to the offsets in the directory: the bytes before the archive, mostly 0. */
  base: number;
}

interface EndRecord {
  disk: number;
  directoryDisk: number;
  entriesOnDisk: number;
  entries: number;
  bytes: number;
  /** Start of the directory as stated. */
  offset: number;
  /** Where the directory must end at the latest. */
  position: number;
}

/**
 * Finds the central directory by the end record, from the end of the source backwards. An end record counts only
 * when a directory lies where it says: the comment may hold what looks like one, and so may data behind a cut.
 * @returns `undefined` where there is none
 * @throws ArchiveRefusal `ARCHIVE_SPLIT`
 */
export async function findDirectory(source: ByteSource): Promise<DirectoryPlace | undefined> {
  const tailBytes = Math.min(source.size, END_BYTES + MAX_COMMENT_BYTES + LOCATOR_BYTES + END64_BYTES);
  const tailStart = source.size - tailBytes;
  const tail = await readRange(source, tailStart, tailBytes);
  const view = viewOf(tail);
  let candidates = 0;
  let empty: DirectoryPlace | undefined;
  let isSplit = false;
  for (let at = tail.length - END_BYTES; at >= 0 && candidates < MAX_CANDIDATES; at -= 1) {
    if (view.getUint32(at, true) !== END_SIGNATURE) continue;
    if (at + END_BYTES + view.getUint16(at + 20, true) > tail.length) continue;
    candidates += 1;
    const record = await widenEnd(source, parseEnd(view, at, tailStart), tail, at);
    if (record.disk !== 0 || record.directoryDisk !== 0 || record.entriesOnDisk !== record.entries) {
      isSplit = true;
    } else if (record.entries === 0 && record.bytes === 0) {
      empty ??= { start: record.position, bytes: 0, entries: 0, base: 0 };
    } else {
      const place = await placeDirectory(source, record);
      if (place !== undefined) return place;
    }
  }
  if (isSplit && empty === undefined) throw new ArchiveRefusal('ARCHIVE_SPLIT');
  return (await beginsWithFile(source)) ? undefined : empty;
}

function parseEnd(view: DataView, at: number, tailStart: number): EndRecord {
  return {
    disk: view.getUint16(at + 4, true),
    directoryDisk: view.getUint16(at + 6, true),
    entriesOnDisk: view.getUint16(at + 8, true),
    entries: view.getUint16(at + 10, true),
    bytes: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
    position: tailStart + at,
  };
}

/** Puts the values of the ZIP64 end record, where there is one, in place of the saturated ones (APPNOTE 4.4.1.4). */
async function widenEnd(
  source: ByteSource,
  end: EndRecord,
  tail: Uint8Array,
  at: number,
): Promise<EndRecord> {
  const locator = viewOf(tail.subarray(Math.max(0, at - LOCATOR_BYTES), at));
  if (locator.byteLength < LOCATOR_BYTES || locator.getUint32(0, true) !== LOCATOR_SIGNATURE) return end;
  // Bytes before the archive make the stated place wrong; the record nearly always lies right before the locator.
  const places = [end.position - LOCATOR_BYTES - END64_BYTES, readUint64(locator, 8)];
  for (const position of places) {
    if (position < 0 || position >= end.position) continue;
    const view = viewOf(await readRange(source, position, END64_BYTES));
    if (view.byteLength < END64_BYTES || view.getUint32(0, true) !== END64_SIGNATURE) continue;
    const widen = (value: number, limit: number, wide: () => number) => (value === limit ? wide() : value);
    return {
      disk: widen(end.disk, SATURATED_16, () => view.getUint32(16, true)),
      directoryDisk: widen(end.directoryDisk, SATURATED_16, () => view.getUint32(20, true)),
      entriesOnDisk: widen(end.entriesOnDisk, SATURATED_16, () => readUint64(view, 24)),
      entries: widen(end.entries, SATURATED_16, () => readUint64(view, 32)),
      bytes: widen(end.bytes, SATURATED, () => readUint64(view, 40)),
      offset: widen(end.offset, SATURATED, () => readUint64(view, 48)),
      position,
    };
  }
  return end;
}

/**
 * The directory ends where the end record begins; where it should begin otherwise, bytes lie before the archive
 * (a self-extracting one, or a mail header) and all its offsets are short by as much.
 */
async function placeDirectory(source: ByteSource, end: EndRecord): Promise<DirectoryPlace | undefined> {
  const physical = end.position - end.bytes;
  for (const start of [physical, end.offset]) {
    const base = start - end.offset;
    if (start < 0 || start + end.bytes > end.position) continue;
    const view = viewOf(await readRange(source, start, 4));
    if (view.byteLength < 4 || view.getUint32(0, true) !== RECORD_SIGNATURE) continue;
    // A file that begins with a local header and ends with a directory that does not count it was cut off behind an
    // archive within it; what that one lists is not what the user sent.
    if (base > 0 && (await beginsWithFile(source))) return undefined;
    return { start, bytes: end.bytes, entries: end.entries, base };
  }
  return undefined;
}

async function beginsWithFile(source: ByteSource): Promise<boolean> {
  const view = viewOf(await readRange(source, 0, 4));
  return view.byteLength === 4 && view.getUint32(0, true) === LOCAL_SIGNATURE;
}
