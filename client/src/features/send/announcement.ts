import { plainWords } from '@relaypacs/core/contract/plain-words.js';
import type { CreateUploadRequest, ServiceLevel } from '@relaypacs/core/contract/uploads.js';
import { CreateUploadRequestSchema } from '@relaypacs/core/contract/uploads.js';
import type { EarlierStudy } from './earlier-studies.js';
import type { FoundStudy } from './grouping.js';

/** What a person can say about a study before it is sent. */
export interface StudyDetails {
  patientName: string;
  /** `YYYY-MM-DD` */
  studyDate: string;
  modality: string;
  serviceLevel: ServiceLevel;
  /** Key of the PACS the person has chosen; empty: the rules decide. */
  target: string;
  clinicalHistory: string;
  /** The rest is asked for photos only: DICOM says it itself. */
  patientId: string;
  /** `YYYY-MM-DD` */
  patientBirthDate: string;
  patientSex: string;
  studyDescription: string;
}

export type DetailField = Exclude<keyof StudyDetails, 'serviceLevel' | 'target'>;

export type Announcement =
  | { request: CreateUploadRequest; errors?: undefined }
  | { request?: undefined; errors: Partial<Record<DetailField, string>> };

const ASKED: ReadonlySet<string> = new Set(['patientName', 'studyDate', 'modality', 'clinicalHistory']);
const ASKED_FOR_PHOTOS: ReadonlySet<string> = new Set([
  ...ASKED,
  'patientId',
  'patientBirthDate',
  'patientSex',
  'studyDescription',
]);

const MISSING: Record<string, string> = {
  patientName: 'Enter the name of the patient.',
  studyDate: 'Enter the date of the study.',
  modality: 'Enter the modality, such as CT, MR, US or DX.',
};

/**
 * What the server is told about a study. A value from the headers, or of an earlier study, that the contract does not
 * accept and that is not required is left out; what the person has to mend comes back as one error for each field.
 *
 * @param earlier - the study sent before that these photos are added to: it says whose they are
 */
export function announcementOf(
  study: FoundStudy,
  details: StudyDetails,
  earlier?: EarlierStudy,
): Announcement {
  const request: Record<string, unknown> = {
    ...identityOf(study, details, earlier),
    modality: details.modality,
    serviceLevel: details.serviceLevel,
    target: details.target || undefined,
    fileCount: study.files.length,
    totalBytes: study.totalBytes,
    clinicalHistory: details.clinicalHistory.trim() || undefined,
    // The person was shown what seems to be missing, and sends it as it is: the server need not ask again.
    onDoubt: study.studies.some(({ gaps }) => gaps.length > 0) ? 'send' : undefined,
  };
  const asked = study.kind === 'photos' && !earlier ? ASKED_FOR_PHOTOS : ASKED;
  const issues = CreateUploadRequestSchema.safeParse(request, { error: plainWords }).error?.issues ?? [];
  const errors: Partial<Record<DetailField, string>> = {};
  for (const issue of issues) {
    const field = String(issue.path[0]);
    if (asked.has(field)) errors[field as DetailField] = messageFor(field, request[field], issue.message);
    else delete request[field];
  }
  if (Object.keys(errors).length > 0) return { errors };
  const known = Object.entries(request).filter(([, value]) => value !== undefined);
  return { request: Object.fromEntries(known) as CreateUploadRequest };
}

/** Whose study it is, and which one. */
function identityOf(
  { kind, header, studies }: FoundStudy,
  details: StudyDetails,
  earlier: EarlierStudy | undefined,
): Record<string, string | undefined> {
  const { patientName, studyDate } = details;
  if (earlier) {
    const { uploadId, modalities, ...identity } = earlier;
    return identity;
  }
  if (kind === 'photos') {
    return {
      patientName,
      studyDate,
      patientId: details.patientId.trim() || undefined,
      patientBirthDate: details.patientBirthDate || undefined,
      patientSex: details.patientSex || undefined,
      studyDescription: details.studyDescription.trim() || undefined,
    };
  }
  return {
    patientName,
    studyDate,
    patientId: header.patientId,
    patientBirthDate: header.patientBirthDate,
    patientSex: header.patientSex,
    studyDescription: header.studyDescription,
    // Of several studies in an archive none speaks for the others.
    studyInstanceUid: studies.length === 1 ? header.studyInstanceUid : undefined,
  };
}

function messageFor(field: string, value: unknown, message: string): string {
  return String(value ?? '').trim() === '' ? (MISSING[field] ?? message) : `${message}.`;
}
