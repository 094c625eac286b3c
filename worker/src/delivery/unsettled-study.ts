import type { InstanceCounts } from '@relaypacs/core/contract/uploads.js';
import { findStudy, updateStudy } from '@relaypacs/core/db/studies.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';

/** How a run ends that dealt with all it knew of: `goes_on`, there is more by now; `sent_early`, more may arrive. */
export type Unsettled = 'goes_on' | 'sent_early';

/**
 * Finds out whether a study is at its end when a run is: instances may have been added meanwhile, and one that was begun
 * early has not come to its end before all of its upload was checked.
 *
 * @param counts - of the instances it has now
 */
export async function leaveUnsettled(
  { trx }: UnitOfWork,
  id: string,
  { total, verified, failed }: InstanceCounts,
): Promise<Unsettled | undefined> {
  if (verified + failed < total) return 'goes_on';
  const study = await findStudy(trx, id);
  if (!study?.earlyDelivery) return undefined;
  const earlyDelivery = study.earlyDelivery === 'going' ? 'waiting' : study.earlyDelivery;
  // Runs that ended well count nothing against the next one.
  const attempts = Math.min(study.attempts, 1);
  await updateStudy(trx, id, { earlyDelivery, attempts, waitingFor: null, problem: null });
  return 'sent_early';
}
