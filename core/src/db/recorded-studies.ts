import type { Queryable } from './database.js';
import { type InstanceRow, insertInstances, type NewInstance } from './instances.js';
import { PART_AT_ANOTHER_PACS } from './resends.js';
import { insertStudy, type NewStudy, type StudyRow } from './studies.js';
import { mayBeInPacs, type SupersededInstance, supersedeInstances } from './superseded.js';

/** The first delivery of each study as earlier intakes have left it, those included that are no longer part. */
export async function listRecordedStudies(trx: Queryable, uploadId: string): Promise<StudyRow[]> {
  return trx<StudyRow>('studies').where({ uploadId, resendOf: null }).orderBy('id');
}

/**
 * Writes down a study as an intake has found it. Where an earlier intake has recorded it already, its row stays, with
 * the PACS it goes to and what that has confirmed; only what is new or was not confirmed is to be delivered.
 *
 * @param before - its first delivery as the earlier intake has left it
 * @returns what a PACS has or may have of it that is no longer part of it
 */
export async function recordStudy(
  trx: Queryable,
  before: StudyRow | undefined,
  study: NewStudy,
  instances: readonly NewInstance[],
): Promise<SupersededInstance[]> {
  if (!before) {
    await insertStudy(trx, study);
    await insertInstances(trx, instances);
    return [];
  }
  const { kept, superseded } = await keepInstances(trx, before, instances);
  const keptUids = new Set(kept.map(({ sopInstanceUid }) => sopInstanceUid));
  const added = instances.filter(({ sopInstanceUid }) => !keptUids.has(sopInstanceUid));
  const isComplete = kept.every(({ status }) => status === 'verified') && added.length === 0;
  if (before.status === 'delivered' && before.supersededAt === null && isComplete) return superseded;
  await insertInstances(
    trx,
    added.map((instance) => ({ ...instance, studyId: before.id })),
  );
  await reopenStudy(trx, before, study);
  return superseded;
}

/**
 * Leaves of a study what is still part of it. The rest goes, but what a PACS has or may have stays, marked as no longer
 * part.
 */
async function keepInstances(
  trx: Queryable,
  before: StudyRow,
  instances: readonly NewInstance[],
): Promise<{ kept: InstanceRow[]; superseded: SupersededInstance[] }> {
  const found = new Map(instances.map((instance) => [instance.sopInstanceUid, instance]));
  const known: InstanceRow[] = await trx<InstanceRow>('instances').where({ studyId: before.id });
  const derivedIds = new Set<string>(
    await trx('uploadFiles').where({ uploadId: before.uploadId, isDerived: true }).pluck('id'),
  );
  const isKept = ({ sopInstanceUid, status, sha256, uploadFileId, supersededTarget }: InstanceRow) => {
    if (supersededTarget !== null && supersededTarget !== before.target) return false;
    const now = found.get(sopInstanceUid);
    // What the PACS has confirmed stays as it was sent, even where it would be sent otherwise now. Only what was made
    // here of what was entered is wrong where it would not be sent any more.
    if (status === 'verified') return now !== undefined || !derivedIds.has(uploadFileId);
    return now?.sha256.equals(sha256) ?? false;
  };
  const kept = known.filter(isKept);
  const keptIds = kept.map(({ id }) => id);
  const lost = known.filter((instance) => !found.has(instance.sopInstanceUid) && !isKept(instance));
  const superseded = await supersedeInstances(
    trx,
    before,
    lost.filter(mayBeInPacs).map(({ sopInstanceUid }) => sopInstanceUid),
  );
  await trx('instances')
    .where({ studyId: before.id })
    // One parameter: a statement takes 65,535 of them, and a study may have more instances.
    .whereRaw('NOT (id = ANY(?::uuid[]))', [keptIds])
    .where((gone) =>
      gone
        .whereNull('supersededAt')
        // Found again, for another PACS now.
        .orWhereRaw('sop_instance_uid = ANY(?::text[])', [[...found.keys()]]),
    )
    .delete();
  await trx('instances')
    .where({ studyId: before.id })
    .whereNotNull('supersededAt')
    .whereRaw('id = ANY(?::uuid[])', [keptIds])
    .update({ supersededAt: null, supersededTarget: null });
  return { kept, superseded };
}

async function reopenStudy(trx: Queryable, before: StudyRow, study: NewStudy): Promise<void> {
  const { id, uploadId, studyInstanceUid, target, resendOf, warnings = [], ...attributes } = study;
  const lasting = before.warnings.filter(isLasting);
  await trx('studies')
    .where({ id: before.id })
    .update({
      ...attributes,
      ...OPEN,
      warnings: JSON.stringify([...lasting, ...warnings]),
      supersededAt: null,
      updatedAt: new Date(),
    });
}

const OPEN = { status: 'pending', waitingFor: null, problem: null, nextAttemptAt: null, deliveredAt: null };

const ENDED = { status: 'failed', waitingFor: null, nextAttemptAt: null };

const isLasting = ({ code }: StudyRow['warnings'][number]) => code === PART_AT_ANOTHER_PACS;

/**
 * Forgets a study that an intake has not found any more. What a PACS has or may have of it stays, and so does what was
 * sent again of it; the study is no longer part of the upload then, unless files that were sent are in it.
 *
 * @returns what a PACS has or may have of it that is no longer part of the upload
 */
export async function removeStudy(trx: Queryable, before: StudyRow): Promise<SupersededInstance[]> {
  const { kept, superseded } = await keepInstances(trx, before, []);
  const change = { updatedAt: new Date() };
  const row = trx('studies').where({ id: before.id });
  if (kept.length > 0) {
    if (before.status !== 'delivered') await row.update({ ...OPEN, ...change });
    return superseded;
  }
  const isReferred =
    (await trx('instances').where({ studyId: before.id }).first('id')) ??
    (await trx('studies').where({ resendOf: before.id }).first('id'));
  if (isReferred || before.warnings.some(isLasting)) {
    const supersededAt = before.supersededAt ?? new Date();
    const isDelivered = before.status === 'delivered';
    await row.update({ ...change, ...(isDelivered ? {} : ENDED), supersededAt });
    // Nothing is left of it to be sent again.
    await trx('studies')
      .where({ resendOf: before.id, claimedBy: null })
      .whereIn('status', ['pending', 'delivering'])
      .update({ ...ENDED, ...change });
  } else await row.delete();
  return superseded;
}
