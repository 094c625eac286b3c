import { randomInt } from 'node:crypto';
import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';
import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import { inParallel } from '../in-parallel.js';
import { COMPARED_AT_ONCE, compareContents } from './compare-contents.js';
import { type DeliveryRun, looks, turnstile } from './delivery-run.js';
import type { HeldInstances } from './dicomweb-client.js';
import { NotHandedOut } from './not-handed-out.js';
import { ALTERED, HEADER_REWRITTEN, NOT_COMPARABLE, NOT_COMPARED, NOT_HANDED_OUT } from './pacs-problems.js';

/** What says of an instance that comparing it has been tried, and ended without a proof. */
const TRIED = [NOT_COMPARED, NOT_COMPARABLE, HEADER_REWRITTEN, ALTERED, NOT_HANDED_OUT].map(
  ({ code }) => code,
);

/**
 * Draws the instances whose contents are compared, so that a PACS cannot foresee them. What was compared before, in an
 * earlier run or because the PACS held it already, counts; it is not compared once more.
 *
 * @param candidates - those of the study that the PACS said it stored and that are yet to be verified
 */
export function chooseSample(
  { record, verification }: Pick<DeliveryRun, 'record' | 'verification'>,
  candidates: readonly InstanceRow[],
): ReadonlySet<InstanceRow> {
  if (verification.level !== 'bytes') return new Set();
  const { instances } = record;
  const compared = instances.filter((instance) => instance.verification === 'bytes' || wasTried(instance));
  // 7 % of 100 is 7.000000000000001 to a computer.
  const wanted = Math.max(1, Math.ceil(Number((instances.length * verification.share).toFixed(6))));
  const left = candidates.filter((instance) => !wasTried(instance));
  const sample = new Set<InstanceRow>();
  for (let more = wanted - compared.length; more > 0 && left.length > 0; more -= 1) {
    for (const drawn of left.splice(randomInt(left.length), 1)) sample.add(drawn);
  }
  return sample;
}

const wasTried = ({ problem }: InstanceRow) => problem !== null && TRIED.includes(problem.code);

/**
 * Settles instances that the PACS lists: those of the sample by their contents, the others by that alone. What it does
 * not hand out is asked for again: some archives list what they can hand out only a while later.
 *
 * @throws PacsUnavailable, also when the PACS lets nobody retrieve; MakingRoom. What was settled by then stays settled
 */
export async function verifyFound(
  run: DeliveryRun,
  found: readonly InstanceRow[],
  held: HeldInstances,
  sample: ReadonlySet<InstanceRow>,
): Promise<void> {
  const unsampled = found.filter((instance) => !sample.has(instance));
  await run.record.outcome(unsampled, 'verified', null, 'uids');
  let left = found.filter((instance) => sample.has(instance));
  for await (const _ of looks(run)) {
    const withheld: InstanceRow[] = [];
    await inParallel(left, COMPARED_AT_ONCE, async (instance) => {
      const isSettled = await verifyByContents(run, instance, held.get(instance.sopInstanceUid));
      if (!isSettled) withheld.push(instance);
    });
    left = withheld;
    if (left.length === 0) return;
  }
  run.logger.error('The PACS does not hand out what it lists', { instanceIds: left.map(({ id }) => id) });
  await run.record.outcome(left, 'failed', NOT_HANDED_OUT);
}

/** @returns false when the PACS does not hand it out: nothing is known of it */
async function verifyByContents(
  run: DeliveryRun,
  instance: InstanceRow,
  seriesInHand: string | undefined,
): Promise<boolean> {
  await turnstile(run);
  const comparison = await compareContents(run, instance, seriesInHand).catch((error: unknown) => {
    if (!(error instanceof NotHandedOut)) throw error;
    if (error.refusal) throw error.refusal;
    run.logger.warn('The PACS did not hand out an instance', {
      instanceId: instance.id,
      reason: error.message,
    });
    return undefined;
  });
  if (comparison === undefined) return false;
  if (comparison === 'same') {
    await run.record.outcome([instance], 'verified', null, 'bytes');
    return true;
  }
  const level = comparison === 'different' || comparison === 'damaged' ? 'error' : 'info';
  run.logger.log(level, 'The contents in the PACS could not be confirmed', {
    instanceId: instance.id,
    comparison,
  });
  if (comparison === 'different') {
    await run.record.outcome([instance], 'failed', ALTERED);
    return true;
  }
  // What the PACS itself said of it when it stored it tells more.
  const remark: UploadProblem = comparison === 'rewritten' ? HEADER_REWRITTEN : NOT_COMPARABLE;
  await run.record.outcome([instance], 'verified', instance.problem ?? remark, 'uids');
  return true;
}
