import type { CreateUploadRequest, ServiceLevel } from '@relaypacs/core/contract/uploads.js';
import { CreateUploadRequestSchema } from '@relaypacs/core/contract/uploads.js';
import type { FoundStudy } from './grouping.js';

/** What a person can say about a study before it is sent. */
export interface StudyDetails {
  patientName: string;
  /** `YYYY-MM-DD` */
  studyDate: string;
  modality: string;
  serviceLevel: ServiceLevel;
  clinicalHistory: string;
}

export type DetailField = 'patientName' | 'studyDate' | 'modality' | 'clinicalHistory';

export type Announcement =
  | { request: CreateUploadRequest; errors?: undefined }
  | { request?: undefined; errors: Partial<Record<DetailField, string>> };

const ASKED: ReadonlySet<string> = new Set(['patientName', 'studyDate', 'modality', 'clinicalHistory']);

const MISSING: Record<string, string> = {
  patientName: 'Enter the name of the patient.',
  studyDate: 'Enter the date of the study.',
  modality: 'Enter the modality, such as CT, MR, US or DX.',
};

/**
 * What the server is told about a study. A header value that the contract does not accept and that is not
 * required is left out; what is required and missing comes back as one error for each field.
 */
export function announcementOf(study: FoundStudy, details: StudyDetails): Announcement {
  const { header } = study;
  const request: Record<string, unknown> = {
    patientName: details.patientName,
    studyDate: details.studyDate,
    modality: details.modality,
    serviceLevel: details.serviceLevel,
    fileCount: study.files.length,
    totalBytes: study.totalBytes,
    patientId: header.patientId,
    patientBirthDate: header.patientBirthDate,
    patientSex: header.patientSex,
    studyDescription: header.studyDescription,
    clinicalHistory: details.clinicalHistory.trim() || undefined,
    studyInstanceUid: header.studyInstanceUid,
  };
  const issues = CreateUploadRequestSchema.safeParse(request).error?.issues ?? [];
  const errors: Partial<Record<DetailField, string>> = {};
  for (const issue of issues) {
    const field = String(issue.path[0]);
    if (ASKED.has(field)) errors[field as DetailField] = messageFor(field, request[field], issue.message);
    else delete request[field];
  }
  if (Object.keys(errors).length > 0) return { errors };
  const known = Object.entries(request).filter(([, value]) => value !== undefined);
  return { request: Object.fromEntries(known) as CreateUploadRequest };
}

function messageFor(field: string, value: unknown, message: string): string {
  return String(value ?? '').trim() === '' ? (MISSING[field] ?? message) : `${message}.`;
}
