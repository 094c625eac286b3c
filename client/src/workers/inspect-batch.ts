import { inParallel } from './in-parallel.js';
import { inspectFile } from './inspect-file.js';
import type { Inspection } from './inspection.js';

export interface FileToInspect {
  index: number;
  file: File;
}

export interface InspectedIndex {
  index: number;
  inspection: Inspection;
}

/** What has become known since the last time, and how far the reading of archives is. */
export interface InspectedSoFar {
  inspected: readonly InspectedIndex[];
  /** Files found in archives until now, and those of them that have been looked into. */
  entriesFound: number;
  entriesLooked: number;
}

// Reading is mostly waiting for the disk.
const PARALLEL_READS = 4;

/**
 * Looks into all `files` and tells of each exactly once.
 *
 * @param tell - called with what has become known, at most every `everyMs` milliseconds: each call crosses from
 * the worker to the page
 */
export async function inspectBatch(
  files: readonly FileToInspect[],
  tell: (soFar: InspectedSoFar) => void,
  everyMs = 100,
): Promise<void> {
  let known: InspectedIndex[] = [];
  let entriesFound = 0;
  let entriesLooked = 0;
  let lastTold = Date.now();
  const tellNow = () => {
    tell({ inspected: known, entriesFound, entriesLooked });
    known = [];
    lastTold = Date.now();
  };
  const tellWhenDue = () => {
    if (Date.now() - lastTold >= everyMs) tellNow();
  };
  const progress = {
    found: (entries: number) => {
      entriesFound += entries;
      tellWhenDue();
    },
    looked: () => {
      entriesLooked += 1;
      tellWhenDue();
    },
  };
  await inParallel(files, PARALLEL_READS, async ({ index, file }) => {
    const inspection = await inspectFile(file, progress);
    known.push({ index, inspection });
    tellWhenDue();
  });
  if (known.length > 0) tellNow();
}
