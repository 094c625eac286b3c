import type { Queryable } from './database.js';
import { insertInstances, listInstances, type NewInstance } from './instances.js';
import { PART_AT_ANOTHER_PACS } from './resends.js';
import { insertStudy, type NewStudy, type StudyRow } from './studies.js';

/**
 * Writes down a study as an intake has found it. Where an earlier intake has recorded it already, its row stays, with
 * the PACS it goes to and what that has confirmed; only what is new or was not confirmed is to be delivered.
 *
 * @param before - its first delivery as the earlier intake has left it
 */
export async function recordStudy(
  trx: Queryable,
  before: StudyRow | undefined,
  study: NewStudy,
  instances: readonly NewInstance[],
): Promise<void> {
  if (!before) {
    await insertStudy(trx, study);
    await insertInstances(trx, instances);
    return;
  }
  const found = new Map(instances.map((instance) => [instance.sopInstanceUid, instance]));
  const known = await listInstances(trx, before.id);
  // What the PACS has confirmed stays as it was sent, even where it would be sent otherwise now.
  const kept = known.filter(
    ({ status, sopInstanceUid, sha256 }) =>
      status === 'verified' || found.get(sopInstanceUid)?.sha256.equals(sha256),
  );
  const keptUids = new Set(kept.map(({ sopInstanceUid }) => sopInstanceUid));
  const added = instances.filter(({ sopInstanceUid }) => !keptUids.has(sopInstanceUid));
  if (before.status === 'delivered' && added.length === 0) return;
  await trx('instances')
    .where({ studyId: before.id })
    // One parameter: a statement takes 65,535 of them, and a study may have more instances.
    .whereRaw('NOT (id = ANY(?::uuid[]))', [kept.map(({ id }) => id)])
    .delete();
  await insertInstances(
    trx,
    added.map((instance) => ({ ...instance, studyId: before.id })),
  );
  await reopenStudy(trx, before, study);
}

async function reopenStudy(trx: Queryable, before: StudyRow, study: NewStudy): Promise<void> {
  const { id, uploadId, studyInstanceUid, target, resendOf, warnings = [], ...attributes } = study;
  const lasting = before.warnings.filter(({ code }) => code === PART_AT_ANOTHER_PACS);
  await trx('studies')
    .where({ id: before.id })
    .update({
      ...attributes,
      warnings: JSON.stringify([...lasting, ...warnings]),
      status: 'pending',
      waitingFor: null,
      problem: null,
      nextAttemptAt: null,
      deliveredAt: null,
      updatedAt: new Date(),
    });
}

/** Forgets studies that an intake has not found any more, unless they were delivered. */
export async function deleteStudiesNotFound(
  trx: Queryable,
  uploadId: string,
  foundUids: readonly string[],
): Promise<void> {
  await trx<StudyRow>('studies')
    .where({ uploadId, resendOf: null })
    .whereNot({ status: 'delivered' })
    .whereNotIn('studyInstanceUid', [...foundUids])
    .delete();
}
