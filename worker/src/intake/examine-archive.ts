import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { ContentStep } from '@relaypacs/core/archive/content-step.js';
import { type Content, openContent } from '@relaypacs/core/archive/entry-content.js';
import { readGzipMember } from '@relaypacs/core/archive/gzip-member.js';
import { type ArchiveLimits, remainingLimits } from '@relaypacs/core/archive/limits.js';
import { locateEntry } from '@relaypacs/core/archive/locate-entry.js';
import {
  ArchiveRefusal,
  ContentDamaged,
  type EntryRefusal,
  isEntryRefusal,
} from '@relaypacs/core/archive/refusals.js';
import type { StreamingSource } from '@relaypacs/core/archive/stored-content.js';
import { readZipDirectory, type ZipEntry } from '@relaypacs/core/archive/zip-directory.js';
import type { FileFinding, UploadProblem } from '@relaypacs/core/contract/uploads.js';
import { bytesSource } from '@relaypacs/core/dicom/source.js';
import { nodeInflate } from '../contents/node-inflate.js';
import { inParallel } from '../in-parallel.js';
import { type ExaminationDeps, examineContent, readHead, sniff } from './examine-content.js';
import { type CheckedFile, type Examined, type ExaminedEntry, rejected } from './examined.js';
import { NOTHING_INSIDE } from './intake-problems.js';

/** What is not larger is read once and kept while it is looked at, in bytes. */
const SMALL_BYTES = 8 * 1024 * 1024;
const ENTRIES_AT_ONCE = 4;

export interface ArchiveDeps extends ExaminationDeps {
  limits: ArchiveLimits;
  /** Aborted when the work is in other hands or is to stop. */
  signal: AbortSignal;
}

/** An archive that is being opened. */
interface OpenArchive {
  source: StreamingSource;
  /** The way to it from the uploaded file. */
  steps: readonly ContentStep[];
  /** Its own path with a slash behind it; empty for the uploaded file. */
  prefix: string;
  /** Archives it lies in. */
  depth: number;
}

type UploadedArchive = Pick<OpenArchive, 'source' | 'steps'>;

/**
 * Looks at everything in a ZIP, in place: no byte is unpacked to a disk, and no file in it is held in memory unless it
 * is small. Every file has a verdict of its own; an archive within it is opened as far as the limits allow.
 *
 * @returns what is to be said of the archive itself, and of its contents
 * @throws only faults of the storage
 */
export async function examineZip(
  deps: ArchiveDeps,
  archive: UploadedArchive,
): Promise<{ examined: Examined; entries: ExaminedEntry[] }> {
  try {
    const { entries, salvaged } = await examineEntries(deps, { ...archive, prefix: '', depth: 0 });
    return { examined: conclude(entries, salvaged), entries };
  } catch (error) {
    return { examined: rejected('archive', refusalProblem(archiveRefusal(error))), entries: [] };
  }
}

/**
 * Looks at a gzip'ed file: at what is in it, as if it had been sent unpacked.
 *
 * @throws only faults of the storage
 */
export async function examineGzip(
  deps: ArchiveDeps,
  archive: UploadedArchive,
): Promise<{ examined: Examined; entries: ExaminedEntry[] }> {
  const member = await readGzipMember(archive.source, deps.limits);
  if (isEntryRefusal(member)) return { examined: rejected('archive', refusalProblem(member)), entries: [] };
  const steps = [...archive.steps, member.step];
  const content = openContent(archive.source, [member.step], nodeInflate);
  try {
    if (sniff(await readHead(content)) === 'zip') {
      return await examineZip(deps, { source: content, steps });
    }
    const examined = await examineOne(deps, content, steps, member.crc32);
    return { examined, entries: [] };
  } catch (error) {
    return { examined: rejected('archive', refusalProblem(archiveRefusal(error))), entries: [] };
  } finally {
    await content.close();
  }
}

async function examineEntries(
  deps: ArchiveDeps,
  archive: OpenArchive,
): Promise<{ entries: ExaminedEntry[]; salvaged: boolean }> {
  const { spent } = deps;
  const limits = remainingLimits(deps.limits, spent);
  const { entries, salvaged } = await readZipDirectory(archive.source, limits);
  spent.entries += entries.length;
  spent.bytes += entries.reduce((sum, { bytes, refusal }) => sum + (refusal ? 0 : bytes), 0);
  // Others may have been read meanwhile.
  if (spent.entries > deps.limits.maxEntries) throw new ArchiveRefusal('ARCHIVE_TOO_MANY_ENTRIES');
  if (archive.depth > 0 && spent.bytes > deps.limits.maxBytes) throw new ArchiveRefusal('ARCHIVE_TOO_LARGE');
  const examined: ExaminedEntry[][] = [];
  // In the order of their bytes: what is packed twice can only be read forward.
  const inOrder = [...entries.entries()].sort(([, a], [, b]) => a.headerOffset - b.headerOffset);
  await inParallel(inOrder, ENTRIES_AT_ONCE, async ([index, entry]) => {
    deps.signal.throwIfAborted();
    examined[index] = await examineEntry(deps, archive, entry);
  });
  return { entries: examined.flat(), salvaged };
}

async function examineEntry(
  deps: ArchiveDeps,
  archive: OpenArchive,
  entry: ZipEntry,
): Promise<ExaminedEntry[]> {
  const path = `${archive.prefix}${entry.path}`;
  const told = (examined: Examined): ExaminedEntry[] => [{ ...examined, path, size: entry.bytes }];
  if (entry.refusal) return told(rejected('other', refusalProblem(entry.refusal)));
  const located = await locateEntry(archive.source, entry);
  if (isEntryRefusal(located)) return told(rejected('other', refusalProblem(located)));
  const steps = [...archive.steps, located];
  const content = openContent(archive.source, [located], nodeInflate);
  try {
    if (sniff(await readHead(content)) !== 'zip') {
      return told(await examineOne(deps, content, steps, entry.crc32));
    }
    if (archive.depth >= deps.limits.maxNesting) {
      return told(rejected('archive', refusalProblem(new ArchiveRefusal('ARCHIVE_NESTED_TOO_DEEP'))));
    }
    const inner = { source: content, steps, prefix: `${path}/`, depth: archive.depth + 1 };
    const { entries } = await examineEntries(deps, inner);
    return entries.length > 0 ? entries : told(rejected('archive', NOTHING_INSIDE));
  } catch (error) {
    return told(rejected('other', refusalProblem(archiveRefusal(error))));
  } finally {
    await content.close();
  }
}

/** One content with all of its bytes, checked against the checksum the archive gives for it. */
async function examineOne(
  deps: ArchiveDeps,
  content: Content,
  steps: readonly ContentStep[],
  expectedCrc: number | undefined,
): Promise<Examined> {
  const bytes = content.size <= SMALL_BYTES ? await content.read(0, content.size) : undefined;
  const chunks = () => (bytes ? [bytes] : content.stream(0, content.size));
  let crc = 0;
  const hash = createHash('sha256');
  for await (const chunk of chunks()) {
    crc = crc32(chunk, crc);
    hash.update(chunk);
  }
  if (expectedCrc !== undefined && crc !== expectedCrc) throw new ContentDamaged();
  const sha256 = hash.digest();
  const source = bytes ? bytesSource(bytes) : content;
  return examineContent(deps, { source, steps, sha256: async () => sha256 });
}

/** Says of an archive what its contents came to in the end: verdicts are taken back after it was opened. */
export function concludeArchive(checked: CheckedFile): void {
  if (checked.entries.length === 0) return;
  const { status, problem } = conclude(checked.entries, false);
  if (checked.status !== 'accepted' || status === 'accepted') return;
  checked.status = status;
  checked.problem = problem;
}

/** What an archive's own state comes to, by what is in it. */
function conclude(entries: readonly ExaminedEntry[], salvaged: boolean): Examined {
  const statuses = new Set(entries.map(({ status }) => status));
  const findings = salvaged ? [SALVAGED] : [];
  if (statuses.has('accepted')) return { kind: 'archive', status: 'accepted', problem: undefined, findings };
  const status = statuses.has('rejected') ? 'rejected' : 'ignored';
  return { kind: 'archive', status, problem: NOTHING_INSIDE, findings };
}

const SALVAGED: FileFinding = {
  code: 'ARCHIVE_SALVAGED',
  tier: 'warn',
  message:
    'The archive is damaged or cut off; what was whole in it was taken. Make it again if files are missing.',
};

/** @throws the error itself when it is a fault of the storage */
function archiveRefusal(error: unknown): Reason {
  if (error instanceof ArchiveRefusal) return error;
  if (error instanceof ContentDamaged) return error.refusal;
  throw error;
}

type Reason = Pick<ArchiveRefusal | EntryRefusal, 'code' | 'message'>;

function refusalProblem({ code, message }: Reason): UploadProblem {
  const title = code.startsWith('ARCHIVE_') ? 'Archive not opened' : 'Not taken from the archive';
  return { code, title, detail: message };
}
