import type { InstanceCounts } from '@relaypacs/core/contract/uploads.js';
import { endEarlyRun } from '@relaypacs/core/db/early-studies.js';
import { findStudy } from '@relaypacs/core/db/studies.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';

/** How a run ends that dealt with all it knew of: `goes_on`, there is more by now; `sent_early`, more may arrive. */
export type Unsettled = 'goes_on' | 'sent_early';

/**
 * Finds out whether a study is at its end when a run is: instances may have been added meanwhile, and one that was begun
 * early has not come to its end before all of its upload was checked.
 *
 * @param counts - of the instances it has now
 * @param known - instances the run knew of
 */
export async function leaveUnsettled(
  { trx }: UnitOfWork,
  id: string,
  { total, verified, failed }: InstanceCounts,
  known: number,
): Promise<Unsettled | undefined> {
  const study = await findStudy(trx, id);
  const undecided = total - verified - failed;
  const hasMore = undecided > 0 && total > known;
  if (!study?.earlyDelivery) return hasMore ? 'goes_on' : undefined;
  await endEarlyRun(trx, study, hasMore ? undecided : 0);
  return hasMore ? 'goes_on' : 'sent_early';
}
