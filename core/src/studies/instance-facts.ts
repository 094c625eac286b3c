import type { StudyAttributes } from '../dicom/attributes.js';

const IDENTITY_NAMES = ['studyInstanceUid', 'seriesInstanceUid', 'sopInstanceUid'] as const;

const FACT_NAMES = [
  'patientId',
  'patientName',
  'patientBirthDate',
  'patientSex',
  'studyDate',
  'modality',
  'seriesNumber',
  'seriesDescription',
  'instanceNumber',
  'acquisitionNumber',
  'echoNumbers',
  'temporalPositionIdentifier',
  'imageType',
  'imagePositionPatient',
  'imageOrientationPatient',
  'numberOfStudyRelatedInstances',
  'numberOfSeriesRelatedInstances',
] as const satisfies readonly (keyof StudyAttributes)[];

/** What the rules of this folder need to know of one instance: small enough to keep for each file of a large study. */
export type InstanceFacts = Required<Pick<StudyAttributes, (typeof IDENTITY_NAMES)[number]>> &
  Pick<StudyAttributes, (typeof FACT_NAMES)[number]>;

/** @returns `undefined` for an object that lacks one of the three identifiers, and so belongs to no study */
export function instanceFacts(attributes: StudyAttributes): InstanceFacts | undefined {
  const { studyInstanceUid, seriesInstanceUid, sopInstanceUid } = attributes;
  if (studyInstanceUid === undefined || seriesInstanceUid === undefined || sopInstanceUid === undefined) {
    return undefined;
  }
  const facts: Partial<Record<string, unknown>> = {};
  for (const name of FACT_NAMES) if (attributes[name] !== undefined) facts[name] = attributes[name];
  return { studyInstanceUid, seriesInstanceUid, sopInstanceUid, ...facts };
}
