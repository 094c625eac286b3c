import type { StudyAttributes } from '@relaypacs/core/dicom/attributes.js';
import type { InstanceFacts } from '@relaypacs/core/studies/instance-facts.js';
import type { PhotoFacts, PhotoFormat } from './photo-facts.js';

export type FileHeader = Pick<
  StudyAttributes,
  | 'studyInstanceUid'
  | 'seriesInstanceUid'
  | 'sopInstanceUid'
  | 'patientName'
  | 'patientId'
  | 'patientBirthDate'
  | 'patientSex'
  | 'studyDate'
  | 'studyDescription'
  | 'modality'
>;

/** DICOM that can be sent. */
export interface UsableObject {
  kind: 'usable';
  header: FileHeader;
  /** What tells whether images of the same study are missing; absent for what has no identifiers. */
  facts?: InstanceFacts;
  /** What the server has to mend in it before the PACS gets it: a sentence for people. */
  repair?: string;
}

/** A picture that the server wraps as DICOM. */
export interface Photo extends PhotoFacts {
  kind: 'image';
  format: PhotoFormat;
}

/** Anything else. */
export interface NothingToSend {
  kind: 'other';
  reason: string;
  /** Somebody meant to send it, and can do something about it. */
  wanted?: true;
}

/**
 * What the bytes of one file have shown, wherever they lie. `damaged` ones are DICOM that no archive would take;
 * `heic` is a photo that has to become a JPEG first. `reason` is a sentence for people.
 */
export type ContentInspection =
  | UsableObject
  | { kind: 'damaged'; header: FileHeader; reason: string }
  | Photo
  | { kind: 'heic'; takenOn?: string }
  | NothingToSend;

/** One file in an archive. */
export interface InspectedEntry {
  /** Path in the archive; `inner.zip/IM1` for one in an archive within it. */
  path: string;
  /** Bytes, unpacked. */
  size: number;
  /** `refused`: it cannot be taken out of the archive. */
  inspection: ContentInspection | { kind: 'refused'; reason: string };
}

/** A ZIP or gzip'ed file that could be opened: it is sent as it is. */
export interface OpenedArchive {
  kind: 'archive';
  entries: InspectedEntry[];
  /** A doubt about the archive as a whole. */
  remark?: string;
}

/** What a look into one picked file has shown. */
export type Inspection = ContentInspection | OpenedArchive;
