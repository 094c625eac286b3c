import type { CorrectableField, UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { waitsForSender } from './status-sentences.js';

/** Contradictions between what was entered and what the files say, and what to correct if the files are right. */
const OF_DOUBTS: Readonly<Record<string, CorrectableField>> = {
  PATIENT_NAME_MISMATCH: 'patientName',
  PATIENT_ID_MISMATCH: 'patientId',
  BIRTH_DATE_MISMATCH: 'patientBirthDate',
  SEX_MISMATCH: 'patientSex',
  STUDY_DATE_MISMATCH: 'studyDate',
  MODALITY_MISMATCH: 'modality',
};

/** What of an upload the person may correct because it would help; empty where nothing would. */
export function correctableFields(
  upload: Pick<UploadDetail, 'status' | 'waitingFor' | 'problem' | 'studies' | 'bytesRemovedAt'>,
): CorrectableField[] {
  const { status, problem, studies, bytesRemovedAt } = upload;
  if (bytesRemovedAt !== null) return [];
  if (status === 'failed' || status === 'rejected') {
    return problem?.remedy === 'correct' ? (problem.fields ?? []) : [];
  }
  if (!waitsForSender(upload)) return [];
  const doubted = studies.flatMap(({ warnings }) => warnings.flatMap(({ code }) => OF_DOUBTS[code] ?? []));
  return [...new Set(doubted)];
}
