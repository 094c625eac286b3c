import type { ByteSource } from '../dicom/source.js';
import type { ContentStep } from './content-step.js';
import { SATURATED } from './extra-fields.js';
import type { LocalHeader } from './local-header.js';
import { DESCRIPTOR_FLAG, LOCAL_HEADER_BYTES, parseLocalHeader } from './local-header.js';
import { readRange } from './read-range.js';
import type { EntryRefusal } from './refusals.js';
import { entryRefusal } from './refusals.js';
import type { ZipEntry } from './zip-entry.js';
import { DEFLATED, isEncrypted } from './zip-entry.js';

/**
 * Finds where the data of an entry begins, behind its local header, with one read of 30 bytes. The local header must
 * agree with the directory: readers that trust one or the other would see different files. Names may differ, since
 * archivers write them in different character sets in the two places.
 */
export async function locateEntry(source: ByteSource, entry: ZipEntry): Promise<ContentStep | EntryRefusal> {
  if (entry.refusal !== undefined) return entry.refusal;
  const header = parseLocalHeader(await readRange(source, entry.headerOffset, LOCAL_HEADER_BYTES));
  if (header === undefined || contradicts(header, entry)) return entryRefusal('ENTRY_MISMATCH');
  const offset = entry.headerOffset + LOCAL_HEADER_BYTES + header.nameBytes + header.extraBytes;
  if (offset + entry.storedBytes > source.size) return entryRefusal('ENTRY_TRUNCATED');
  return { offset, storedBytes: entry.storedBytes, bytes: entry.bytes, deflated: entry.method === DEFLATED };
}

function contradicts(header: LocalHeader, entry: ZipEntry): boolean {
  if (isEncrypted(header) || header.method !== entry.method) return true;
  if ((header.flags & DESCRIPTOR_FLAG) !== 0) return false;
  // Zero where the writer could not go back to fill it in, saturated where ZIP64 holds the value.
  const differs = (local: number, listed: number) => local !== 0 && local !== SATURATED && local !== listed;
  return differs(header.storedBytes, entry.storedBytes) || differs(header.bytes, entry.bytes);
}
