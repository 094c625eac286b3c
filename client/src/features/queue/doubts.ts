import type { Study, UploadDetail, Warning } from '@relaypacs/core/contract/uploads.js';
import { formatDate } from '../../ui/format.js';

/** All doubts of an upload, those of its studies included; with several studies each says which it is about. */
export function doubtsOf({ warnings, studies: all }: Pick<UploadDetail, 'warnings' | 'studies'>): Warning[] {
  const studies = all.filter(({ resendOf }) => resendOf === null);
  const ofStudies = studies.flatMap((study) =>
    study.warnings.map(({ code, message }) => ({
      code,
      message: studies.length > 1 ? `${studyName(study)}: ${message}` : message,
    })),
  );
  return [...warnings, ...ofStudies];
}

/** `CT · 14 Jan 2026 · Thorax`: without the patient, whose name stands above. */
export function studyName({ modalities, studyDate, studyDescription }: Study): string {
  return (
    [modalities.join(', '), studyDate && formatDate(studyDate), studyDescription]
      .filter(Boolean)
      .join(' · ') || 'A study'
  );
}
