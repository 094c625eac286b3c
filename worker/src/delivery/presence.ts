import { setTimeout as sleep } from 'node:timers/promises';
import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import { inParallel } from '../in-parallel.js';
import { checkpoint, type DeliveryRun } from './delivery-run.js';
import type { HeldInstances } from './dicomweb-client.js';
import { StoredBytesDamaged } from './multipart.js';
import { type Comparison, compareObjects, digestObject } from './object-digests.js';
import { CONFLICT, DAMAGED, NOT_COMPARED } from './pacs-problems.js';

const COMPARED_AT_ONCE = 4;

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
  found: (instances: readonly InstanceRow[]) => Promise<void>,
): Promise<readonly InstanceRow[]> {
  let missing = instances;
  for (const seconds of [0, ...run.patienceSeconds]) {
    if (missing.length === 0) break;
    checkpoint(run);
    if (seconds > 0) await sleep(seconds * 1000);
    const held = await findHeld(run, missing);
    await found(missing.filter(({ sopInstanceUid }) => held.has(sopInstanceUid)));
    missing = missing.filter(({ sopInstanceUid }) => !held.has(sopInstanceUid));
  }
  return missing;
}

/**
 * Settles what the PACS holds and did not tell us it stored. That we began to send it proves nothing: it counts as
 * stored when the contents are the same, and is reported when they are not. It is not sent (again) either way:
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

/** Settles one instance that the PACS holds by comparing its contents with ours. */
export async function settleByContents(
  run: DeliveryRun,
  instance: InstanceRow,
  seriesInHand: string | undefined,
): Promise<void> {
  checkpoint(run);
  const comparison = await compare(run, instance, seriesInHand).catch((error: unknown) => {
    if (error instanceof StoredBytesDamaged) return 'damaged' as const;
    throw error;
  });
  run.logger.info('The PACS holds an instance already', { instanceId: instance.id, comparison });
  if (comparison === 'same') {
    // Nothing of it was ever sent by us: it had come another way.
    if (instance.sends === 0) await run.record.alreadyThere([instance]);
    await run.record.outcome([instance], 'stored');
  } else if (comparison === 'different') await run.record.outcome([instance], 'failed', CONFLICT);
  else if (comparison === 'damaged') await run.record.outcome([instance], 'failed', DAMAGED);
  else await run.record.outcome([instance], 'warning', NOT_COMPARED);
}

async function compare(
  run: DeliveryRun,
  instance: InstanceRow,
  seriesInHand: string | undefined,
): Promise<Comparison> {
  const { study } = run.record;
  const theirs = await run.pacs.retrieveInstance(
    study.studyInstanceUid,
    seriesInHand ?? instance.seriesInstanceUid,
    instance.sopInstanceUid,
    digestObject,
    run.signal,
  );
  if (!theirs) return 'incomparable';
  if (theirs.file.equals(instance.sha256)) return 'same';
  return compareObjects(await digestObject(run.reader.read(instance)), theirs);
}
