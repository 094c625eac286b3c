import type { ByteSource } from '../dicom/source.js';
import { readDirectoryRecords } from './directory-records.js';
import { findDirectory } from './end-record.js';
import { judgeEntries } from './entry-rules.js';
import type { ArchiveLimits } from './limits.js';
import { readRange } from './read-range.js';
import { ArchiveRefusal } from './refusals.js';
import { walkLocalHeaders } from './salvage.js';
import type { ZipEntry } from './zip-entry.js';

export type { ZipEntry } from './zip-entry.js';

export interface ZipDirectory {
  /** Files in the order of the directory, the refused ones included; folders are left out. */
  entries: ZipEntry[];
  /** Whether the directory is missing or damaged, so that files may be missing from this list. */
  salvaged: boolean;
}

/**
 * Lists the files of a ZIP by its central directory, or by what is left of it. Reads ranges of the source only, and
 * none of the files' data.
 * @throws ArchiveRefusal when nothing of the archive can be taken
 */
export async function readZipDirectory(
  source: ByteSource,
  limits: Readonly<ArchiveLimits>,
): Promise<ZipDirectory> {
  const place = await findDirectory(source);
  if (place === undefined) return salvage(source, limits, []);
  if (place.entries > limits.maxEntries) throw new ArchiveRefusal('ARCHIVE_TOO_MANY_ENTRIES');
  if (place.bytes > limits.maxDirectoryBytes) throw new ArchiveRefusal('ARCHIVE_TOO_LARGE');
  const { records, isWhole } = await readDirectoryRecords(source, place, limits);
  const entries = judgeEntries(records, place.start, limits);
  return isWhole ? { entries, salvaged: false } : salvage(source, limits, entries);
}

/** Takes what a damaged directory still lists, or what the local headers tell, whichever saves more files. */
async function salvage(
  source: ByteSource,
  limits: Readonly<ArchiveLimits>,
  listed: ZipEntry[],
): Promise<ZipDirectory> {
  const walked = judgeEntries(await walkLocalHeaders(source, limits), source.size, limits);
  const entries = listed.length > 0 && countUsable(listed) >= countUsable(walked) ? listed : walked;
  if (entries.length === 0) throw new ArchiveRefusal(await illegible(source));
  return { entries, salvaged: true };
}

function countUsable(entries: readonly ZipEntry[]): number {
  return entries.filter(({ refusal }) => refusal === undefined).length;
}

/** A file that begins like an archive was cut off early; anything else is none, or is damaged from the start. */
async function illegible(source: ByteSource): Promise<'ARCHIVE_TRUNCATED' | 'ARCHIVE_DAMAGED'> {
  const [first, second] = await readRange(source, 0, 2);
  return first === 0x50 && second === 0x4b ? 'ARCHIVE_TRUNCATED' : 'ARCHIVE_DAMAGED';
}
