import { DEFAULT_ARCHIVE_LIMITS } from '@relaypacs/core/archive/limits.js';
import { ArchiveRefusal } from '@relaypacs/core/archive/refusals.js';
import { blobSource } from '@relaypacs/core/dicom/source.js';
import { type EntryProgress, inspectArchive } from './inspect-archive.js';
import { inspectContent } from './inspect-content.js';
import type { Inspection } from './inspection.js';

const UNWATCHED: EntryProgress = { found: () => {}, looked: () => {} };

/** Looks into one picked file, and into what it holds when it is an archive. Never rejects. */
export async function inspectFile(file: Blob, progress: EntryProgress = UNWATCHED): Promise<Inspection> {
  try {
    const source = blobSource(file);
    const inspection = await inspectContent(source);
    if (typeof inspection === 'object') return inspection;
    return await inspectArchive(source, inspection, DEFAULT_ARCHIVE_LIMITS, progress);
  } catch (error) {
    if (error instanceof ArchiveRefusal) return { kind: 'other', wanted: true, reason: error.message };
    return { kind: 'other', wanted: true, reason: 'The file cannot be read from this device.' };
  }
}
