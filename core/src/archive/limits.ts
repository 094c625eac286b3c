const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/**
 * What one archive may cost. Fifield's 10 MB bomb of overlapping files grows to 281 TB, and a directory of a few
 * MiB can name a million entries; what asks for more than this is refused, never followed.
 */
export interface ArchiveLimits {
  /** Entries of one archive, folders included. */
  maxEntries: number;
  /** Unpacked size of all entries together, in bytes. */
  maxBytes: number;
  /** Unpacked bytes for one packed byte; looked at above `ratioFloorBytes` only. */
  maxRatio: number;
  /** Unpacked bytes of an entry below which any ratio is accepted: blank slices are small and deflate 1000:1. */
  ratioFloorBytes: number;
  /** Longest name of an entry, path included, in bytes. */
  maxNameBytes: number;
  /** Folders an entry may lie in. */
  maxPathDepth: number;
  /** Archives around an archive: 1 is a ZIP within the uploaded ZIP. */
  maxNesting: number;
  /** Size of the central directory in bytes. */
  maxDirectoryBytes: number;
}

export const DEFAULT_ARCHIVE_LIMITS: Readonly<ArchiveLimits> = {
  maxEntries: 20_000,
  maxBytes: 8 * GIB,
  maxRatio: 200,
  ratioFloorBytes: 4 * MIB,
  maxNameBytes: KIB,
  maxPathDepth: 32,
  maxNesting: 1,
  maxDirectoryBytes: 64 * MIB,
};

/**
 * What is left of the limits for the next archive in the same upload: entries and bytes are shared by an archive and
 * all archives within it, so that nesting cannot multiply them.
 */
export function remainingLimits(
  limits: Readonly<ArchiveLimits>,
  spent: { entries: number; bytes: number },
): ArchiveLimits {
  return {
    ...limits,
    maxEntries: Math.max(0, limits.maxEntries - spent.entries),
    maxBytes: Math.max(0, limits.maxBytes - spent.bytes),
  };
}
