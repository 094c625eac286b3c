import type { Study, UploadDetail, UploadSummary } from '@relaypacs/core/contract/uploads.js';
import { formatDate, formatPatientName } from '../../ui/format.js';

/** A study sent before, to which photos can be added: what is taken over from it. */
export interface EarlierStudy {
  uploadId: string;
  studyInstanceUid: string;
  patientName: string;
  /** `YYYY-MM-DD` */
  studyDate: string;
  modalities: string;
  patientId?: string;
  patientBirthDate?: string;
  patientSex?: string;
  studyDescription?: string;
}

/** What has not arrived, or was not accepted, is no study that something could be added to. */
const WITHOUT_STUDIES: ReadonlySet<string> = new Set([
  'created',
  'uploading',
  'rejected',
  'expired',
  'cancelled',
]);

export function mayHoldStudies({ status }: UploadSummary): boolean {
  return !WITHOUT_STUDIES.has(status);
}

/** `Doe, Jane · CT · 14 Jan 2026`, one line of a list of uploads. */
export function uploadWords({ patientName, modality, studyDate, studyDescription }: UploadSummary): string {
  return [formatPatientName(patientName), modality, formatDate(studyDate), studyDescription ?? '']
    .filter(Boolean)
    .join(' · ');
}

/** `Doe, Jane · CT, PT · 14 Jan 2026 · Head`: a study as the files have told it. */
export function studyWords({ patientName, modalities, studyDate, studyDescription }: EarlierStudy): string {
  return [formatPatientName(patientName), modalities, formatDate(studyDate), studyDescription ?? '']
    .filter(Boolean)
    .join(' · ');
}

/**
 * The studies of an upload, as something can be added to them. What an announcement needs and the files did not say is
 * taken from the upload; the rest stays open, so that all images of the study say the same.
 */
export function earlierStudiesOf(upload: UploadDetail): EarlierStudy[] {
  return upload.studies.map((study) => earlierStudyOf(upload, study));
}

function earlierStudyOf(upload: UploadDetail, study: Study): EarlierStudy {
  const known = {
    patientId: study.patientId,
    patientBirthDate: study.patientBirthDate,
    patientSex: study.patientSex,
    studyDescription: study.studyDescription,
  };
  return {
    uploadId: upload.id,
    studyInstanceUid: study.studyInstanceUid,
    patientName: study.patientName ?? upload.patientName,
    studyDate: study.studyDate ?? upload.studyDate,
    modalities: study.modalities.join(', ') || upload.modality,
    ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null)),
  };
}
