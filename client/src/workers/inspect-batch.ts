import { type Inspection, inspectFile } from './inspect-file.js';

export interface FileToInspect {
  index: number;
  file: File;
}

export interface InspectedIndex {
  index: number;
  inspection: Inspection;
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
  tell: (inspected: readonly InspectedIndex[]) => void,
  everyMs = 100,
): Promise<void> {
  const queue = [...files].reverse();
  let known: InspectedIndex[] = [];
  let lastTold = Date.now();
  const tellKnown = () => {
    if (known.length > 0) tell(known);
    known = [];
    lastTold = Date.now();
  };
  const readFiles = async () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const inspection = await inspectFile(next.file, next.file.name);
      known.push({ index: next.index, inspection });
      if (Date.now() - lastTold >= everyMs) tellKnown();
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_READS }, readFiles));
  tellKnown();
}
