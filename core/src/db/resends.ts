import type { Warning } from '../contract/uploads.js';
import type { Queryable } from './database.js';
import { newId } from './ids.js';
import { type InstanceRow, insertInstances, listInstances, type NewInstance } from './instances.js';
import { insertStudy, type StudyRow } from './studies.js';

/** Code of the warning at a study that was redirected when part of it had arrived. */
export const PART_AT_ANOTHER_PACS = 'PART_AT_ANOTHER_PACS';

/**
 * Writes down a further delivery of a study that was delivered: it begins anew with every instance, and what becomes of
 * it changes nothing about the first one.
 *
 * @param first - the first delivery of the study
 * @returns id of the new one
 */
export async function insertResend(trx: Queryable, first: StudyRow, target: string): Promise<string> {
  const id = newId();
  await insertStudy(trx, {
    id,
    uploadId: first.uploadId,
    studyInstanceUid: first.studyInstanceUid,
    target,
    resendOf: first.id,
    patientName: first.patientName,
    patientId: first.patientId,
    patientBirthDate: first.patientBirthDate,
    patientSex: first.patientSex,
    studyDate: first.studyDate,
    studyDescription: first.studyDescription,
    accessionNumber: first.accessionNumber,
    modalities: first.modalities,
    seriesCount: first.seriesCount,
  });
  const instances = await listInstances(trx, first.id);
  await insertInstances(
    trx,
    instances.map((instance) => anew(instance, id)),
  );
  return id;
}

/** What is to be delivered, without what became of it. */
function anew(instance: InstanceRow, studyId: string): NewInstance {
  const { status, problem, alreadyThere, sends, loneBreaks, brokeAt, breaksInRow, breaksSince, ...rest } =
    instance;
  const { storedAt, verifiedAt, verification, supersededAt, supersededTarget, ...what } = rest;
  return { ...what, id: newId(), studyId };
}

/**
 * Sends a delivery that has not ended, or failed, to another PACS, from its beginning.
 *
 * @param warning - what the first PACS has of it already
 * @returns its row as it is now; undefined when a worker is at it
 */
export async function redirectStudy(
  trx: Queryable,
  id: string,
  target: string,
  warning: Warning | undefined,
): Promise<StudyRow | undefined> {
  const study = await trx<StudyRow>('studies')
    .where({ id })
    .where((free) => free.whereNull('claimedBy').orWhere('claimExpiresAt', '<', trx.fn.now()))
    // A worker that holds the row may wait for that of the upload, which is ours.
    .forUpdate()
    .skipLocked()
    .first();
  if (!study) return undefined;
  await trx('instances').where({ studyId: id, supersededAt: null }).update({
    status: 'pending',
    problem: null,
    sends: 0,
    alreadyThere: false,
    loneBreaks: 0,
    brokeAt: null,
    breaksInRow: 0,
    breaksSince: null,
    storedAt: null,
    verifiedAt: null,
    verification: null,
  });
  const [redirected]: StudyRow[] = await trx('studies')
    .where({ id })
    .update({
      target,
      status: 'pending',
      problem: null,
      waitingFor: null,
      waitingSince: null,
      waitTold: false,
      nextAttemptAt: null,
      // A worker whose claim ran out may still be at the PACS before: nothing of it is to be written down here.
      claimedBy: null,
      claimExpiresAt: null,
      warnings: JSON.stringify(warning ? [...study.warnings, warning] : study.warnings),
      updatedAt: new Date(),
    })
    .returning('*');
  return redirected;
}
