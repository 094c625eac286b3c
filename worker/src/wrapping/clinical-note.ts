import type { ServiceLevel } from '@relaypacs/core/contract/uploads.js';

/** What the sender wrote about a study, and what stands above it on paper. Text is plain Unicode. */
export interface ClinicalNote {
  /** With line breaks; at most 10,000 characters. */
  text: string;
  /** As people read it: `Doe, Jane`. */
  patientName: string;
  patientId?: string | undefined;
  /** `YYYY-MM-DD` */
  patientBirthDate?: string | undefined;
  /** `M`, `F` or `O`. */
  patientSex?: string | undefined;
  /** `YYYY-MM-DD` */
  studyDate: string;
  studyDescription?: string | undefined;
  serviceLevel: ServiceLevel;
  /** Full name or user name of the sender. */
  author: string;
  sentAt: Date;
}
