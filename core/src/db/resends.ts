import type { Warning } from '../contract/uploads.js';
import type { Queryable } from './database.js';
import { newId } from './ids.js';
import { insertStudy, type StudyRow } from './studies.js';

/** Of what is delivered: the same whatever becomes of the delivery. */
const INSTANCE_COLUMNS = [
  'upload_file_id',
  'sop_instance_uid',
  'series_instance_uid',
  'sop_class_uid',
  'transfer_syntax_uid',
  'modality',
  'series_number',
  'instance_number',
  'steps',
  'source_offset',
  'size',
  'pieces',
  'sha256',
].join(', ');

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
  await trx.raw(
    `INSERT INTO instances (id, study_id, status, ${INSTANCE_COLUMNS})
     SELECT gen_random_uuid(), ?, 'pending', ${INSTANCE_COLUMNS} FROM instances WHERE study_id = ?`,
    [id, first.id],
  );
  return id;
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
  await trx('instances').where({ studyId: id }).update({
    status: 'pending',
    problem: null,
    sends: 0,
    alreadyThere: false,
    loneBreaks: 0,
    brokeAt: null,
    storedAt: null,
    verifiedAt: null,
  });
  const [redirected]: StudyRow[] = await trx('studies')
    .where({ id })
    .update({
      target,
      status: 'pending',
      problem: null,
      waitingFor: null,
      nextAttemptAt: null,
      warnings: JSON.stringify(warning ? [...study.warnings, warning] : study.warnings),
      updatedAt: new Date(),
    })
    .returning('*');
  return redirected;
}
