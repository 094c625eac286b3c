const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * What one scan may cost. A file that asks for more is rejected, never followed: a 2.6 KB file with sequences
 * nested 50 deep crashes Orthanc, and 306 KB of deflated zeros grow to 907 MB in other readers.
 */
export interface ScanLimits {
  /** Levels of nested sequences; the deepest of 858 real files has 6. */
  maxDepth: number;
  /** Bytes read outside of encapsulated pixel data (headers and decoded values). */
  maxHeaderBytes: number;
  /** Data elements and items, over all levels. */
  maxElements: number;
  /** Fragments of encapsulated pixel data. */
  maxFragments: number;
  /** Longest value that is decoded, in bytes; longer ones are skipped, not read. */
  maxValueBytes: number;
  /** Size of a deflated data set once inflated, in bytes. */
  maxInflatedBytes: number;
  /** Inflated bytes for one deflated byte; looked at above `inflateRatioFloorBytes` only. */
  maxInflateRatio: number;
  /** Inflated bytes below which any ratio is accepted: blank slices are small and deflate 1000:1. */
  inflateRatioFloorBytes: number;
  /** The scanner's own time in milliseconds; waiting for the source is not counted. */
  deadlineMs: number;
  /** Bytes fetched by one read. */
  windowBytes: number;
}

export const DEFAULT_SCAN_LIMITS: Readonly<ScanLimits> = {
  maxDepth: 16,
  maxHeaderBytes: 64 * MIB,
  maxElements: 1_000_000,
  maxFragments: 1_000_000,
  maxValueBytes: 16 * KIB,
  maxInflatedBytes: 64 * MIB,
  maxInflateRatio: 100,
  inflateRatioFloorBytes: 4 * MIB,
  deadlineMs: 2_000,
  windowBytes: 64 * KIB,
};
