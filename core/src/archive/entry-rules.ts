import type { ArchiveLimits } from './limits.js';
import type { EntryRefusalCode } from './refusals.js';
import { entryRefusal } from './refusals.js';
import type { EntryRecord, ZipEntry } from './zip-entry.js';
import { DEFLATED, isEncrypted, STORED } from './zip-entry.js';

/**
 * Judges the entries of an archive, each by itself first, then all together.
 * @param dataEnd where the data of the last entry must have ended, in bytes
 * @returns one entry for each record, in their order
 */
export function judgeEntries(
  records: readonly EntryRecord[],
  dataEnd: number,
  limits: Readonly<ArchiveLimits>,
): ZipEntry[] {
  const overlapping = findOverlaps(records, dataEnd);
  let total = 0;
  return records.map((record) => {
    const code =
      judgeRecord(record, dataEnd, limits) ??
      (overlapping.has(record) ? 'ENTRY_OVERLAPS' : undefined) ??
      (total + record.bytes > limits.maxBytes ? 'ENTRY_TOO_LARGE' : undefined);
    if (code === undefined) total += record.bytes;
    return toEntry(record, code);
  });
}

function judgeRecord(
  record: EntryRecord,
  dataEnd: number,
  limits: Readonly<ArchiveLimits>,
): EntryRefusalCode | undefined {
  const { method, bytes, storedBytes, name } = record;
  if (name.refusal !== undefined) return name.refusal;
  if (isEncrypted(record)) return 'ENTRY_ENCRYPTED';
  if (method !== STORED && method !== DEFLATED) return 'ENTRY_METHOD_UNKNOWN';
  if (record.fault !== undefined) return record.fault;
  if (isOutside(record, dataEnd)) return 'ENTRY_TRUNCATED';
  if (method === STORED && storedBytes !== bytes) return 'ENTRY_DAMAGED';
  if (growsTooMuch(record, limits)) return 'ENTRY_RATIO';
  return undefined;
}

/** Whether so much is to come out of so little that no image explains it. */
export function growsTooMuch(
  { bytes, storedBytes }: { bytes: number; storedBytes: number },
  limits: Readonly<ArchiveLimits>,
): boolean {
  return bytes > limits.ratioFloorBytes && bytes > storedBytes * limits.maxRatio;
}

function isOutside({ headerOffset, endOffset }: EntryRecord, dataEnd: number): boolean {
  return headerOffset < 0 || endOffset > dataEnd;
}

/**
 * Entries whose data begins before that of another one has ended. Quoting one kernel of data many times over is how
 * 10 MB grow to 281 TB (Fifield, "A better zip bomb", WOOT 2019); no archiver writes such a thing. The first one
 * stays, whatever else is wrong with it; what lies outside of the archive takes no room in it.
 */
function findOverlaps(records: readonly EntryRecord[], dataEnd: number): Set<EntryRecord> {
  const byOffset = records
    .filter((record) => record.fault === undefined && !isOutside(record, dataEnd))
    .sort((a, b) => a.headerOffset - b.headerOffset);
  const overlapping = new Set<EntryRecord>();
  let occupiedTo = 0;
  for (const record of byOffset) {
    if (record.headerOffset < occupiedTo) overlapping.add(record);
    occupiedTo = Math.max(occupiedTo, record.endOffset);
  }
  return overlapping;
}

function toEntry(record: EntryRecord, code: EntryRefusalCode | undefined): ZipEntry {
  const { name, storedBytes, bytes, crc32, method, headerOffset } = record;
  return {
    path: name.path,
    storedBytes,
    bytes,
    crc32,
    method,
    headerOffset,
    ...(code === undefined ? {} : { refusal: entryRefusal(code) }),
  };
}
