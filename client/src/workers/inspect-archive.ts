import type { ContentStep } from '@relaypacs/core/archive/content-step.js';
import { openContent } from '@relaypacs/core/archive/entry-content.js';
import { fflateInflate } from '@relaypacs/core/archive/fflate-inflate.js';
import { readGzipMember } from '@relaypacs/core/archive/gzip-member.js';
import { type ArchiveLimits, remainingLimits } from '@relaypacs/core/archive/limits.js';
import { locateEntry } from '@relaypacs/core/archive/locate-entry.js';
import { checkNesting } from '@relaypacs/core/archive/nesting.js';
import { ArchiveRefusal, ContentDamaged, isEntryRefusal } from '@relaypacs/core/archive/refusals.js';
import { readZipDirectory, type ZipEntry } from '@relaypacs/core/archive/zip-directory.js';
import type { ByteSource } from '@relaypacs/core/dicom/source.js';
import { BlockCache } from './block-cache.js';
import { inParallel } from './in-parallel.js';
import { inspectContent } from './inspect-content.js';
import type { InspectedEntry, OpenedArchive } from './inspection.js';
import { isJunk } from './junk-names.js';

/** Told how the reading of archives goes on. */
export interface EntryProgress {
  /** So many more files turned out to be in archives. */
  found(entries: number): void;
  /** One of them has been looked into. */
  looked(): void;
}

const SALVAGED = 'The list of files in the archive is damaged, so some of them may be missing.';

// Reading is mostly waiting for the disk. What is deflated can be read forward only: one at a time there.
const PARALLEL_READS = 4;

interface Opening {
  limits: Readonly<ArchiveLimits>;
  progress: EntryProgress;
  /** What the archive and those within it have used of the limits. */
  spent: { entries: number; bytes: number };
  remark: string | undefined;
}

/** A ZIP that is being looked into. */
interface Place {
  source: ByteSource;
  /** It can be read forward only. */
  isDeflated: boolean;
  /** In front of the names of what it holds. */
  folder: string;
  /** ZIPs around it. */
  depth: number;
}

/**
 * Opens a picked archive where it lies and looks into each file in it, and into those of ZIPs one level down.
 *
 * @throws ArchiveRefusal when nothing of it can be taken, and what reading the file throws
 */
export async function inspectArchive(
  file: ByteSource,
  kind: 'zip' | 'gzip',
  limits: Readonly<ArchiveLimits>,
  progress: EntryProgress,
): Promise<OpenedArchive> {
  const source = new BlockCache(file);
  const opening: Opening = { limits, progress, spent: { entries: 0, bytes: 0 }, remark: undefined };
  const entries =
    kind === 'zip'
      ? await openZip(opening, { source, isDeflated: false, folder: '', depth: 0 })
      : await openGzip(opening, source);
  return { kind: 'archive', entries, ...(opening.remark === undefined ? {} : { remark: opening.remark }) };
}

async function openZip(opening: Opening, place: Place): Promise<InspectedEntry[]> {
  const { limits, spent, progress } = opening;
  checkNesting(place.depth, limits);
  const directory = await readZipDirectory(place.source, remainingLimits(limits, spent));
  if (directory.salvaged) opening.remark = SALVAGED;
  spent.entries += directory.entries.length;
  for (const { refusal, bytes } of directory.entries) if (refusal === undefined) spent.bytes += bytes;
  const entries = directory.entries
    .filter(({ path }) => !isJunk(path))
    // In the order of their bytes: what is packed twice can only be read forward.
    .sort((a, b) => a.headerOffset - b.headerOffset);
  progress.found(entries.length);
  const inspected: InspectedEntry[][] = [];
  await inParallel(entries, place.isDeflated ? 1 : PARALLEL_READS, async (entry, index) => {
    inspected[index] = await inspectEntry(opening, place, entry);
    progress.looked();
  });
  return inspected.flat();
}

async function inspectEntry(opening: Opening, place: Place, entry: ZipEntry): Promise<InspectedEntry[]> {
  const path = place.folder + entry.path;
  const step = await locateEntry(place.source, entry);
  if (isEntryRefusal(step)) return [refused(path, entry.bytes, step.message)];
  return inspectWithin(opening, place, step, path);
}

/** What is compressed by itself is taken for the file it was, and a ZIP in it for a picked one. */
async function openGzip(opening: Opening, source: ByteSource): Promise<InspectedEntry[]> {
  const member = await readGzipMember(source, opening.limits);
  if (isEntryRefusal(member)) return [refused('', source.size, member.message)];
  const { step, name = 'content' } = member;
  return inspectWithin(opening, { source, isDeflated: false, folder: '', depth: -1 }, step, name);
}

const GZIP_WITHIN = 'The file is compressed once more within the archive. Unpack it and choose the content.';

/** What lies in an archive: something to be looked into, or a ZIP. */
async function inspectWithin(
  opening: Opening,
  place: Place,
  step: ContentStep,
  path: string,
): Promise<InspectedEntry[]> {
  try {
    const content = openContent(place.source, [step], fflateInflate);
    try {
      const inspection = await inspectContent(content);
      if (inspection === 'gzip') return [refused(path, step.bytes, GZIP_WITHIN)];
      if (inspection !== 'zip') return [{ path, size: step.bytes, inspection }];
      return await openZip(opening, {
        source: content,
        isDeflated: place.isDeflated || step.deflated,
        folder: `${path}/`,
        depth: place.depth + 1,
      });
    } finally {
      await content.close();
    }
  } catch (error) {
    if (error instanceof ContentDamaged || error instanceof ArchiveRefusal) {
      return [refused(path, step.bytes, error.message)];
    }
    throw error;
  }
}

function refused(path: string, size: number, reason: string): InspectedEntry {
  return { path, size, inspection: { kind: 'refused', reason } };
}
