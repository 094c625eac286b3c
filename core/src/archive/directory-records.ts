import type { ByteSource } from '../dicom/source.js';
import type { DirectoryPlace } from './end-record.js';
import { readEntryName } from './entry-names.js';
import { widenExtent } from './extra-fields.js';
import { ForwardWindow } from './forward-window.js';
import type { ArchiveLimits } from './limits.js';
import { LOCAL_HEADER_BYTES } from './local-header.js';
import { viewOf } from './read-range.js';
import { ArchiveRefusal } from './refusals.js';
import type { EntryRecord } from './zip-entry.js';

/** Central directory header up to its name (APPNOTE 4.3.12). */
const RECORD_BYTES = 46;
export const RECORD_SIGNATURE = 0x02014b50;
/** A digital signature may close the directory (APPNOTE 4.3.13). */
const SIGNATURE_RECORD = 0x05054b50;
const WINDOW_BYTES = 256 * 1024;
const SATURATED_DISK = 0xffff;

export interface DirectoryRecords {
  /** Files only; folders are counted, but not kept. */
  records: EntryRecord[];
  /** Whether the directory was legible to its end, and as long as the end record says. */
  isWhole: boolean;
}

/**
 * Reads the central directory window by window.
 * @throws ArchiveRefusal `ARCHIVE_TOO_MANY_ENTRIES`
 */
export async function readDirectoryRecords(
  source: ByteSource,
  place: DirectoryPlace,
  limits: Readonly<ArchiveLimits>,
): Promise<DirectoryRecords> {
  const window = new ForwardWindow(source, WINDOW_BYTES);
  const records: EntryRecord[] = [];
  const end = place.start + place.bytes;
  let offset = place.start;
  let count = 0;
  while (offset + RECORD_BYTES <= end) {
    const head = await window.at(offset, RECORD_BYTES);
    const length = recordLength(head);
    if (length === undefined || offset + length > end) break;
    count += 1;
    if (count > limits.maxEntries) throw new ArchiveRefusal('ARCHIVE_TOO_MANY_ENTRIES');
    const record = parseRecord(await window.at(offset, length), place.base, limits);
    if (!record.name.isFolder) records.push(record);
    offset += length;
  }
  const rest = await window.at(offset, 4);
  const isAtEnd =
    offset === end || (rest.length === 4 && viewOf(rest).getUint32(0, true) === SIGNATURE_RECORD);
  // Writers without ZIP64, as macOS had for long, let the count overflow.
  return { records, isWhole: isAtEnd && count % 0x10000 === place.entries % 0x10000 };
}

function recordLength(head: Uint8Array): number | undefined {
  const view = viewOf(head);
  if (head.length < RECORD_BYTES || view.getUint32(0, true) !== RECORD_SIGNATURE) return undefined;
  return RECORD_BYTES + view.getUint16(28, true) + view.getUint16(30, true) + view.getUint16(32, true);
}

function parseRecord(record: Uint8Array, base: number, limits: Readonly<ArchiveLimits>): EntryRecord {
  const view = viewOf(record);
  const flags = view.getUint16(8, true);
  const nameEnd = RECORD_BYTES + view.getUint16(28, true);
  const nameBytes = record.subarray(RECORD_BYTES, nameEnd);
  const extra = record.subarray(nameEnd, nameEnd + view.getUint16(30, true));
  const narrow = {
    bytes: view.getUint32(24, true),
    storedBytes: view.getUint32(20, true),
    headerOffset: view.getUint32(42, true),
  };
  const extent = widenExtent(narrow, extra);
  const { bytes, storedBytes, headerOffset } = extent ?? narrow;
  const disk = view.getUint16(34, true);
  return {
    name: readEntryName({ bytes: nameBytes, flags, hostSystem: record[5], extra }, limits),
    flags,
    method: view.getUint16(10, true),
    crc32: view.getUint32(16, true),
    bytes,
    storedBytes,
    headerOffset: headerOffset + base,
    endOffset: headerOffset + base + LOCAL_HEADER_BYTES + nameBytes.length + storedBytes,
    ...(extent === undefined ? { fault: 'ENTRY_DAMAGED' as const } : {}),
    // It begins on another disk of a split archive.
    ...(disk !== 0 && disk !== SATURATED_DISK ? { fault: 'ENTRY_TRUNCATED' as const } : {}),
  };
}
