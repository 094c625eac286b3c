import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import type { DeliveryRun } from './delivery-run.js';
import { StoredBytesDamaged } from './multipart.js';
import { type Comparison, compareObjects, digestObject } from './object-digests.js';

/** How many instances are retrieved side by side. */
export const COMPARED_AT_ONCE = 4;

/**
 * Retrieves an instance from the PACS as it is stored there and compares it with what we send, both as they stream.
 *
 * @param seriesInHand - the series the PACS lists it in, where it says
 * @returns `damaged`: the bytes kept here are gone or not the ones that were accepted
 * @throws NotHandedOut, or PacsUnavailable
 */
export async function compareContents(
  { record, pacs, reader, signal, progressed }: DeliveryRun,
  instance: InstanceRow,
  seriesInHand: string | undefined,
): Promise<Comparison | 'damaged'> {
  const theirs = await pacs.retrieveInstance(
    record.study.studyInstanceUid,
    seriesInHand ?? instance.seriesInstanceUid,
    instance.sopInstanceUid,
    (bytes) => digestObject(bytes, progressed),
    signal,
  );
  if (theirs.file.equals(instance.sha256)) return 'same';
  try {
    const ours = await digestObject(reader.read(instance));
    // Else a fault of our storage would be told as one of the PACS.
    return ours.file.equals(instance.sha256) ? compareObjects(ours, theirs) : 'damaged';
  } catch (error) {
    if (error instanceof StoredBytesDamaged) return 'damaged';
    throw error;
  }
}
