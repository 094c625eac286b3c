import { randomInt } from 'node:crypto';
import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';
import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import { inParallel } from '../in-parallel.js';
import { COMPARED_AT_ONCE, compareContents } from './compare-contents.js';
import { checkpoint, type DeliveryRun } from './delivery-run.js';
import type { HeldInstances } from './dicomweb-client.js';
import { ALTERED, HEADER_REWRITTEN, NOT_COMPARABLE, NOT_COMPARED } from './pacs-problems.js';

/** What says of an instance that comparing it has been tried, and ended without a proof. */
const TRIED = [NOT_COMPARED, NOT_COMPARABLE, HEADER_REWRITTEN, ALTERED].map(({ code }) => code);

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
 * Settles instances that the PACS lists: those of the sample by their contents, the others by that alone.
 *
 * @throws PacsUnavailable; what was settled by then stays settled
 */
export async function verifyFound(
  run: DeliveryRun,
  found: readonly InstanceRow[],
  held: HeldInstances,
  sample: ReadonlySet<InstanceRow>,
): Promise<void> {
  const unsampled = found.filter((instance) => !sample.has(instance));
  await run.record.outcome(unsampled, 'verified', null, 'uids');
  const sampled = found.filter((instance) => sample.has(instance));
  await inParallel(sampled, COMPARED_AT_ONCE, (instance) =>
    verifyByContents(run, instance, held.get(instance.sopInstanceUid)),
  );
}

async function verifyByContents(
  run: DeliveryRun,
  instance: InstanceRow,
  seriesInHand: string | undefined,
): Promise<void> {
  checkpoint(run);
  const comparison = await compareContents(run, instance, seriesInHand);
  if (comparison === 'same') {
    await run.record.outcome([instance], 'verified', null, 'bytes');
    return;
  }
  const level = comparison === 'different' || comparison === 'damaged' ? 'error' : 'info';
  run.logger.log(level, 'The contents in the PACS could not be confirmed', {
    instanceId: instance.id,
    comparison,
  });
  if (comparison === 'different') {
    await run.record.outcome([instance], 'failed', ALTERED);
    return;
  }
  // What the PACS itself said of it when it stored it tells more.
  const remark: UploadProblem = comparison === 'rewritten' ? HEADER_REWRITTEN : NOT_COMPARABLE;
  await run.record.outcome([instance], 'verified', instance.problem ?? remark, 'uids');
}
