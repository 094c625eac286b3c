import { FAULT_AFTER_EARLY_DELIVERY, type UploadProblem } from '@relaypacs/core/contract/uploads.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { isFirstDelivery, type StudyRow } from '@relaypacs/core/db/studies.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import type { Eagerness } from '@relaypacs/core/domain/early-delivery.js';
import { isOfAnnouncedPatient } from '../intake/announced-patient.js';
import { type FailedInstance, resendProblem, studyProblem } from './study-problems.js';

/**
 * Whether a study may go to its PACS now: what is sent again may, whatever has become of its upload, and what is
 * delivered early while that still arrives.
 *
 * @param eager - whether this process delivers early
 */
export function mayRun(study: StudyRow, upload: UploadRow, eager: Eagerness): boolean {
  if (!isFirstDelivery(study) || upload.status === 'delivering') return true;
  return eager !== 'off' && study.earlyDelivery === 'going' && upload.status === 'uploading';
}

/**
 * What is told of a study that was not delivered completely.
 *
 * @param missing - the instances the PACS does not have
 * @param total - instances of the study
 */
export function problemOfStudy(
  upload: UploadRow,
  study: StudyRow,
  missing: readonly FailedInstance[],
  total: number,
): UploadProblem {
  if (!isFirstDelivery(study)) return resendProblem(missing, total);
  // The ID that was entered is that of the announced patient, and was put in already where it could be.
  const canAddPatientId = !upload.addsPatientId && isOfAnnouncedPatient(upload, attributesOf(study));
  const [fault] = missing.flatMap(({ problem }) => (isFault(problem) && problem ? [problem] : []));
  if (!fault) return studyProblem(missing, total, canAddPatientId);
  // What is in the PACS and should not be comes first: somebody there has to act.
  const others = missing.filter(({ problem }) => !isFault(problem));
  if (others.length === 0) return fault;
  // What was entered can no longer be corrected then.
  const { detail } = studyProblem(others, total, false);
  return { ...fault, detail: `${fault.detail} ${detail}`, remedy: 'retry' };
}

const isFault = (problem: UploadProblem | null) => problem?.code === FAULT_AFTER_EARLY_DELIVERY;

const attributesOf = ({ patientName, patientId, patientBirthDate }: StudyRow) => ({
  attributes: {
    ...(patientName === null ? {} : { patientName }),
    ...(patientId === null ? {} : { patientId }),
    ...(patientBirthDate === null ? {} : { patientBirthDate }),
  },
});

/** Writes the end of what an administrator had sent again into the upload's own history. */
export function recordResendEnded(unit: UnitOfWork, study: StudyRow, status: 'delivered' | 'failed'): void {
  if (isFirstDelivery(study)) return;
  unit.audit({
    actor: SYSTEM_ACTOR,
    action: `study.resend_${status}`,
    objectType: 'upload',
    objectId: study.uploadId,
    detail: { target: study.target },
  });
}
