import type { ArchiveLimits } from './limits.js';
import { ArchiveRefusal } from './refusals.js';

/**
 * Asked before an archive is opened, so that an archive that holds itself (as 42.zip or Cox's quine do) ends.
 * @param depth archives around this one: 0 for the uploaded file
 * @throws ArchiveRefusal `ARCHIVE_NESTED_TOO_DEEP`
 */
export function checkNesting(depth: number, limits: Readonly<ArchiveLimits>): void {
  if (depth > limits.maxNesting) throw new ArchiveRefusal('ARCHIVE_NESTED_TOO_DEEP');
}
