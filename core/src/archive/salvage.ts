import type { ByteSource } from '../dicom/source.js';
import { readEntryName } from './entry-names.js';
import { widenExtent } from './extra-fields.js';
import { ForwardWindow } from './forward-window.js';
import type { ArchiveLimits } from './limits.js';
import type { LocalHeader } from './local-header.js';
import { DESCRIPTOR_FLAG, LOCAL_HEADER_BYTES, parseLocalHeader } from './local-header.js';
import { readRange, viewOf } from './read-range.js';
import { ArchiveRefusal } from './refusals.js';
import type { EntryRecord } from './zip-entry.js';

/** One read serves the headers of small files that follow each other. */
const WINDOW_BYTES = 16 * 1024;
/** An archive in one part that was to be split begins with this (APPNOTE 8.5.4). */
const SINGLE_PART_MARK = 0x30304b50;
/** The first part of a split archive begins with this (APPNOTE 8.5.3). */
const SPLIT_MARK = 0x08074b50;

/**
 * Lists an archive without a directory by its local headers, from the start on: what was uploaded of an archive that
 * was cut off is still of use. The first file without a known size ends the walk, and is listed as cut off.
 * @returns no records where there is no legible header
 * @throws ArchiveRefusal `ARCHIVE_SPLIT` or `ARCHIVE_TOO_MANY_ENTRIES`
 */
export async function walkLocalHeaders(
  source: ByteSource,
  limits: Readonly<ArchiveLimits>,
): Promise<EntryRecord[]> {
  const window = new ForwardWindow(source, WINDOW_BYTES);
  const records: EntryRecord[] = [];
  let offset = await skipMark(source);
  for (let count = 1; offset < source.size; count += 1) {
    const header = parseLocalHeader(await window.at(offset, LOCAL_HEADER_BYTES));
    if (header === undefined) break;
    if (count > limits.maxEntries) throw new ArchiveRefusal('ARCHIVE_TOO_MANY_ENTRIES');
    const length = LOCAL_HEADER_BYTES + header.nameBytes + header.extraBytes;
    const bytes = await window.at(offset, length);
    if (bytes.length < LOCAL_HEADER_BYTES + header.nameBytes) break;
    const record = toRecord(header, bytes, offset, limits);
    if (!record.name.isFolder) records.push(record);
    if (record.fault !== undefined) break;
    offset = record.endOffset;
  }
  return records;
}

async function skipMark(source: ByteSource): Promise<number> {
  const view = viewOf(await readRange(source, 0, 4));
  if (view.byteLength < 4) return 0;
  const mark = view.getUint32(0, true);
  if (mark === SPLIT_MARK) throw new ArchiveRefusal('ARCHIVE_SPLIT');
  return mark === SINGLE_PART_MARK ? 4 : 0;
}

function toRecord(
  header: LocalHeader,
  bytes: Uint8Array,
  headerOffset: number,
  limits: Readonly<ArchiveLimits>,
): EntryRecord {
  const { flags, method, crc32, nameBytes, extraBytes } = header;
  const dataStart = LOCAL_HEADER_BYTES + nameBytes + extraBytes;
  const extra = bytes.subarray(LOCAL_HEADER_BYTES + nameBytes, dataStart);
  const narrow = { bytes: header.bytes, storedBytes: header.storedBytes, headerOffset: 0 };
  const extent = (flags & DESCRIPTOR_FLAG) === 0 ? widenExtent(narrow, extra) : undefined;
  const name = bytes.subarray(LOCAL_HEADER_BYTES, LOCAL_HEADER_BYTES + nameBytes);
  return {
    name: readEntryName({ bytes: name, flags, extra }, limits),
    flags,
    method,
    crc32,
    bytes: extent?.bytes ?? 0,
    storedBytes: extent?.storedBytes ?? 0,
    headerOffset,
    endOffset: headerOffset + dataStart + (extent?.storedBytes ?? 0),
    ...(extent === undefined ? { fault: 'ENTRY_TRUNCATED' as const } : {}),
  };
}
