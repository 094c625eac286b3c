import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import { inParallel } from '../in-parallel.js';
import { COMPARED_AT_ONCE, compareContents } from './compare-contents.js';
import { type DeliveryRun, looks, turnstile } from './delivery-run.js';
import type { HeldInstances } from './dicomweb-client.js';
import { NotHandedOut } from './not-handed-out.js';
import { ALTERED, CONFLICT, DAMAGED, NOT_COMPARED, NOT_HANDED_OUT } from './pacs-problems.js';

/** Asks once which of these instances the PACS holds. */
export async function findHeld(run: DeliveryRun, instances: readonly InstanceRow[]): Promise<HeldInstances> {
  const { study } = run.record;
  const wanted = instances.map(({ sopInstanceUid }) => sopInstanceUid);
  return run.pacs.queryInstances(study.studyInstanceUid, wanted, run.signal);
}

/**
 * Waits until the PACS shows the instances it said it stored: some index a while after they answer.
 *
 * @returns what it does not show in the end
 */
export async function awaitHeld(
  run: DeliveryRun,
  instances: readonly InstanceRow[],
  found: (instances: readonly InstanceRow[], held: HeldInstances) => Promise<void>,
): Promise<readonly InstanceRow[]> {
  let missing = instances;
  if (missing.length === 0) return missing;
  for await (const _ of looks(run)) {
    const held = await findHeld(run, missing);
    const shown = missing.filter(({ sopInstanceUid }) => held.has(sopInstanceUid));
    await found(shown, held);
    missing = missing.filter(({ sopInstanceUid }) => !held.has(sopInstanceUid));
    if (missing.length === 0) break;
  }
  return missing;
}

/**
 * Settles what the PACS holds and did not tell us it stored. That we began to send it proves nothing: it is verified
 * when the contents are the same, and is reported when they are not. It is not sent (again) either way:
 * Orthanc would keep the old contents and say success, dcm4chee has lost objects over duplicates.
 */
export async function settleHeld(
  run: DeliveryRun,
  instances: readonly InstanceRow[],
  held: HeldInstances,
): Promise<void> {
  const present = instances.filter((i) => i.status === 'pending' && held.has(i.sopInstanceUid));
  await inParallel(present, COMPARED_AT_ONCE, (instance) =>
    settleByContents(run, instance, held.get(instance.sopInstanceUid)),
  );
}

/**
 * Settles one instance that the PACS lists by comparing its contents with ours.
 *
 * @throws PacsUnavailable, or MakingRoom
 */
export async function settleByContents(
  run: DeliveryRun,
  instance: InstanceRow,
  seriesInHand: string | undefined,
): Promise<void> {
  await turnstile(run);
  const comparison = await compareContents(run, instance, seriesInHand).catch((error: unknown) => {
    if (!(error instanceof NotHandedOut)) throw error;
    // It had said that it stored ours, and its word was not enough: that it is asked anew proves nothing.
    const isToBeProven = instance.storedAt !== null && run.verification.level === 'bytes';
    if (isToBeProven && error.refusal) throw error.refusal;
    return isToBeProven ? 'withheld' : 'incomparable';
  });
  run.logger.info('The PACS holds an instance already', { instanceId: instance.id, comparison });
  if (comparison === 'same') {
    // Nothing of it was ever sent by us: it had come another way.
    if (instance.sends === 0) await run.record.alreadyThere([instance]);
    await run.record.outcome([instance], 'verified', null, 'bytes');
  } else if (comparison === 'different') {
    // It had said that it stored ours: nobody else's came before it.
    await run.record.outcome([instance], 'failed', instance.storedAt ? ALTERED : CONFLICT);
  } else if (comparison === 'damaged') await run.record.outcome([instance], 'failed', DAMAGED);
  else if (comparison === 'withheld') await run.record.outcome([instance], 'failed', NOT_HANDED_OUT);
  else await run.record.outcome([instance], 'warning', NOT_COMPARED);
}
