import type { InstanceUids } from '../archive.js';
import type { Exchange } from '../exchange.js';
import { inventUid } from '../personalities/dcm4chee.js';
import type { Outcome } from '../personalities/personality.js';

/** Failure Reason (0008,1197): Refused, out of resources (PS3.18 table 10.5.3-1): worth another attempt. */
const OUT_OF_RESOURCES = 0xa700;
const PROCESSING_FAILURE = 0x0110;

/**
 * What the faults make of an instance that would be stored.
 *
 * @param add - stores it; resolves to whether it is new
 * @returns undefined when it was held already and no fault says otherwise
 */
export async function storeAmidFaults(
  { archive, faults, indexDelay }: Exchange,
  { uids, sopClass }: { uids: InstanceUids; sopClass: string },
  add: () => Promise<boolean>,
): Promise<Outcome | undefined> {
  const { instance } = uids;
  const stored: Outcome = { kind: 'stored', uids, sopClass };
  const fault = faults.takeFor(instance, 'partialFailure', 'inventedUids', 'forgets', 'storesButHides');
  if (fault?.kind === 'partialFailure') {
    const { reason = OUT_OF_RESOURCES } = fault;
    return { kind: 'failed', instance, sopClass, reason, comment: 'The sandbox was told to refuse it' };
  }
  if (fault?.kind === 'inventedUids') {
    const { reason = PROCESSING_FAILURE } = fault;
    return { kind: 'failed', instance: inventUid(), sopClass, reason, comment: 'Not a DICOM Stream' };
  }
  if (fault?.kind === 'forgets') return stored;
  const isNew = await add();
  if (isNew && fault) indexDelay.hide(uids, fault.seconds ?? 0);
  if (isNew) return stored;
  if (faults.takeFor(instance, 'losesDuplicates')) await archive.lose(uids);
  return undefined;
}
