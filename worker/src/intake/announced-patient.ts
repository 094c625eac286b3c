import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { areNamesCompatible, isPlaceholder } from '@relaypacs/core/studies/patient-name.js';
import { mixedPatients } from '@relaypacs/core/studies/patients.js';
import { reconcile } from '@relaypacs/core/studies/reconciliation.js';
import type { StudyDraft } from './group-studies.js';

/** Contradictions that mean another patient. */
export const PATIENT_CODES: ReadonlySet<string> = new Set([
  'PATIENT_NAME_MISMATCH',
  'PATIENT_ID_MISMATCH',
  'BIRTH_DATE_MISMATCH',
]);

/** Whether nothing in the headers of a study speaks against its being of the patient the sender entered. */
export function isOfAnnouncedPatient(
  upload: UploadRow,
  { attributes }: Pick<StudyDraft, 'attributes'>,
): boolean {
  const { patientName, patientId, patientBirthDate } = upload;
  const announced = {
    patientName,
    ...(patientId === null ? {} : { patientId }),
    ...(patientBirthDate === null ? {} : { patientBirthDate }),
  };
  return !reconcile(announced, { ...attributes, modalities: [] }).some(({ code }) => PATIENT_CODES.has(code));
}

/**
 * The studies that are the announced patient's beyond doubt. Where an upload holds studies of others as well, one that
 * names nobody may be theirs: only those count then that name the patient the sender entered.
 */
export function studiesOfAnnouncedPatient(upload: UploadRow, studies: readonly StudyDraft[]): StudyDraft[] {
  const own = studies.filter((study) => isOfAnnouncedPatient(upload, study));
  const isOneOfMany =
    own.length < studies.length || mixedPatients(studies.map(({ attributes }) => attributes)) !== undefined;
  if (!isOneOfMany || isPlaceholder(upload.patientName)) return isOneOfMany ? [] : own;
  return own.filter(({ attributes: { patientName = '' } }) => {
    return !isPlaceholder(patientName) && areNamesCompatible(patientName, upload.patientName);
  });
}
