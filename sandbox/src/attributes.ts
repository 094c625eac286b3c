import { tag } from './dicom-dictionary.js';
import type { Attributes, JsonValue } from './dicom-json.js';

/** The levels of the archive that QIDO-RS searches (PS3.18 10.6.1.1). */
export type Level = 'study' | 'series' | 'instance';

export const SPECIFIC_CHARACTER_SET = tag('SpecificCharacterSet');
export const SOP_CLASS_UID = tag('SOPClassUID');
export const SOP_INSTANCE_UID = tag('SOPInstanceUID');
export const STUDY_INSTANCE_UID = tag('StudyInstanceUID');
export const PATIENT_ID = tag('PatientID');
export const SERIES_INSTANCE_UID = tag('SeriesInstanceUID');
export const MODALITY = tag('Modality');
export const MODALITIES_IN_STUDY = tag('ModalitiesInStudy');
export const RETRIEVE_URL = tag('RetrieveURL');
export const INSTANCE_AVAILABILITY = tag('InstanceAvailability');
export const NUMBER_OF_STUDY_RELATED_SERIES = tag('NumberOfStudyRelatedSeries');
export const NUMBER_OF_STUDY_RELATED_INSTANCES = tag('NumberOfStudyRelatedInstances');
export const NUMBER_OF_SERIES_RELATED_INSTANCES = tag('NumberOfSeriesRelatedInstances');

const tagsOf = (keywords: string): readonly string[] => keywords.trim().split(/\s+/).map(tag);

/** Attributes every search of a level returns: those Orthanc 1.10.1 does, each level with those above it. */
export const RETURNED: Record<Level, readonly string[]> = {
  study:
    tagsOf(`StudyDate StudyTime AccessionNumber TimezoneOffsetFromUTC ReferringPhysicianName PatientName PatientID
    PatientBirthDate PatientSex StudyInstanceUID StudyID`),
  series: tagsOf(`Modality SeriesDescription SeriesInstanceUID SeriesNumber PerformedProcedureStepStartDate
    PerformedProcedureStepStartTime`),
  instance: tagsOf('SOPClassUID SOPInstanceUID InstanceNumber NumberOfFrames Rows Columns BitsAllocated'),
};

/** Attributes kept in memory per study, series and instance, so that a search opens no file. */
export const INDEXED: Record<Level, readonly string[]> = {
  study: [
    ...RETURNED.study,
    ...tagsOf(
      'StudyDescription InstitutionName OtherPatientIDs RequestedProcedureDescription RequestingPhysician',
    ),
  ],
  series: [
    ...RETURNED.series,
    ...tagsOf('SeriesDate SeriesTime Manufacturer StationName BodyPartExamined ProtocolName OperatorsName'),
  ],
  instance: [...RETURNED.instance, ...tagsOf('AcquisitionNumber InstanceCreationDate InstanceCreationTime')],
};

export const ALL_INDEXED: ReadonlySet<string> = new Set(Object.values(INDEXED).flat());

/** The level an attribute is indexed at. */
export const LEVEL_OF: ReadonlyMap<string, Level> = new Map(
  Object.entries(INDEXED).flatMap(([level, tags]) => tags.map((each) => [each, level as Level] as const)),
);

/** Those of the attributes that are indexed at the level. */
export function attributesOfLevel(attributes: Attributes, level: Level): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([each]) => LEVEL_OF.get(each) === level));
}

/** The first value as text: '' when the attribute is there without one, undefined when it is not there. */
export function textOf(attributes: Attributes, wanted: string): string | undefined {
  const element = attributes[wanted];
  return element && displayText(element.Value?.[0] ?? '');
}

/** A value as people read it; a name by its first group that is there. */
export function displayText(value: JsonValue): string {
  if (value === null) return '';
  if (typeof value !== 'object') return String(value);
  const { Alphabetic, Ideographic, Phonetic } = value as { [group: string]: string };
  return Alphabetic ?? Ideographic ?? Phonetic ?? '';
}
