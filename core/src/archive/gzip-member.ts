import type { ByteSource } from '../dicom/source.js';
import type { ContentStep } from './content-step.js';
import { growsTooMuch } from './entry-rules.js';
import type { GzipHeader } from './gzip-header.js';
import { readGzipHeader } from './gzip-header.js';
import type { ArchiveLimits } from './limits.js';
import { readRange, viewOf } from './read-range.js';
import type { EntryRefusal, EntryRefusalCode } from './refusals.js';
import { entryRefusal, isEntryRefusal } from './refusals.js';

export interface GzipMember {
  step: ContentStep;
  /** Name of the file before it was compressed, without folders. */
  name: string | undefined;
  /** CRC-32 of the content. */
  crc32: number;
}

/** Checksum and size at the end (RFC 1952 §2.3.1). */
const TRAILER_BYTES = 8;
/** Deflate cannot do better: 258 bytes for two bits (RFC 1951 §3.2.5). */
const MAX_DEFLATE_RATIO = 1032;

/**
 * Reads header and trailer of a single gzip'ed file. The trailer holds the size modulo 4 GiB; whether that is the
 * size, and whether the trailer is one at all, shows when the content is inflated.
 */
export async function readGzipMember(
  source: ByteSource,
  limits: Readonly<ArchiveLimits>,
): Promise<GzipMember | EntryRefusal> {
  const header = await readGzipHeader(source, limits);
  if (isEntryRefusal(header)) return header;
  const storedBytes = source.size - header.bytes - TRAILER_BYTES;
  if (storedBytes <= 0) return entryRefusal('ENTRY_TRUNCATED');
  const trailer = viewOf(await readRange(source, source.size - TRAILER_BYTES, TRAILER_BYTES));
  const bytes = trailer.getUint32(4, true);
  const refusal = judgeSize(header, bytes, storedBytes, limits);
  if (refusal !== undefined) return entryRefusal(refusal);
  const step = { offset: header.bytes, storedBytes, bytes, deflated: true };
  return { step, name: header.name, crc32: trailer.getUint32(0, true) };
}

function judgeSize(
  header: GzipHeader,
  bytes: number,
  storedBytes: number,
  limits: Readonly<ArchiveLimits>,
): EntryRefusalCode | undefined {
  if (storedBytes >= 2 ** 32) return 'ENTRY_TOO_LARGE';
  const firstMemberBytes = header.blockedMemberBytes ?? header.bytes + storedBytes + TRAILER_BYTES;
  if (firstMemberBytes < header.bytes + storedBytes + TRAILER_BYTES) return 'GZIP_SEVERAL_MEMBERS';
  // Deflate adds an eighth at worst; a trailer that tells of less belongs to the last of several members.
  if (storedBytes > bytes * 1.2 + 1024) return 'GZIP_SEVERAL_MEMBERS';
  // More than deflate can hold: what was taken for the trailer is the middle of a file that was cut off.
  if (bytes > storedBytes * MAX_DEFLATE_RATIO) return 'ENTRY_DAMAGED';
  if (growsTooMuch({ bytes, storedBytes }, limits)) return 'ENTRY_RATIO';
  return bytes > limits.maxBytes ? 'ENTRY_TOO_LARGE' : undefined;
}
