import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { reconcile } from '@relaypacs/core/studies/reconciliation.js';
import type { StudyDraft } from './group-studies.js';

/** Contradictions that mean another patient. */
export const PATIENT_CODES: ReadonlySet<string> = new Set([
  'PATIENT_NAME_MISMATCH',
  'PATIENT_ID_MISMATCH',
  'BIRTH_DATE_MISMATCH',
]);

/** Whether nothing in the headers of a study speaks against its being of the patient the sender entered. */
export function isOfAnnouncedPatient(upload: UploadRow, { attributes }: StudyDraft): boolean {
  const { patientName, patientId, patientBirthDate } = upload;
  const announced = {
    patientName,
    ...(patientId === null ? {} : { patientId }),
    ...(patientBirthDate === null ? {} : { patientBirthDate }),
  };
  return !reconcile(announced, { ...attributes, modalities: [] }).some(({ code }) => PATIENT_CODES.has(code));
}
