import { type DatasetPlace, insertElements } from './element-insertion.js';
import type { ScanLimits } from './limits.js';
import type { ScanClock } from './scan-clock.js';
import type { SourcePiece } from './source-piece.js';
import { TAG } from './tags.js';

/** The identifiers an object without any is given. */
export interface NewIdentity {
  studyInstanceUid: string;
  seriesInstanceUid: string;
  sopInstanceUid: string;
}

/**
 * The data set with the three identifiers put in at their places.
 *
 * @returns `undefined` when it has one of them
 * @throws ScanRejection when the data set cannot be walked
 */
export async function insertIdentity(
  place: DatasetPlace,
  identity: NewIdentity,
  limits: ScanLimits,
  clock: ScanClock,
): Promise<SourcePiece[] | undefined> {
  const elements = [
    { tag: TAG.sopInstanceUid, vr: 'UI', value: identity.sopInstanceUid },
    { tag: TAG.studyInstanceUid, vr: 'UI', value: identity.studyInstanceUid },
    { tag: TAG.seriesInstanceUid, vr: 'UI', value: identity.seriesInstanceUid },
  ];
  return insertElements(place, elements, limits, clock);
}
