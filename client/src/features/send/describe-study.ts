import { formatPersonName } from '@relaypacs/core/dicom/person-name.js';
import { findGaps } from '@relaypacs/core/studies/completeness.js';
import type { InstanceFacts } from '@relaypacs/core/studies/instance-facts.js';
import { mixedPatients } from '@relaypacs/core/studies/patients.js';
import type { FileHeader } from '../../workers/inspection.js';
import type { FoundObject, Part } from './file-parts.js';
import type { FoundStudy, LeftOutFile, StudyWithin } from './grouping.js';

/** Of the card that photos make when they belong to no study. */
const PHOTOS_KEY = 'photos';

/** Notes, reports and key images go along with a study; they do not say what it was taken with. */
const SECONDARY_MODALITIES = new Set(['SR', 'PR', 'KO', 'OT', 'DOC', 'REG', 'SEG', 'RTSTRUCT']);

/** Images without identifiers of their own are kept together by patient, date and modality. */
export function studyKey(header: FileHeader): string {
  const { patientId = '', patientName = '', studyDate = '', modality = '' } = header;
  return header.studyInstanceUid ?? ['no UID', patientId, patientName, studyDate, modality].join('|');
}

export function describeCard(parts: readonly Part[], damaged: ReadonlyArray<LeftOutFile>): FoundStudy {
  const byStudy = new Map<string, FoundObject[]>();
  for (const object of parts.flatMap(({ objects }) => objects)) {
    const key = studyKey(object.inspection.header);
    const study = byStudy.get(key) ?? [];
    study.push(object);
    byStudy.set(key, study);
  }
  const described = [...byStudy]
    .map(([key, objects]) => ({ key, study: describeStudy(objects) }))
    .sort((a, b) => b.study.imageCount - a.study.imageCount || a.key.localeCompare(b.key));
  const studies = described.map(({ study }) => study);
  const [first] = studies;
  const { header = {}, patientName = '' } = first ?? {};
  return {
    key: described.map(({ key }) => key).sort()[0] ?? PHOTOS_KEY,
    kind: first ? 'images' : 'photos',
    studies,
    header,
    patientName,
    modalities: [...new Set(studies.flatMap(({ modalities }) => modalities))],
    seriesCount: studies.reduce((sum, { seriesCount }) => sum + seriesCount, 0),
    imageCount: studies.reduce((sum, { imageCount }) => sum + imageCount, 0),
    files: parts.map(({ file, path }) => ({ file, path })),
    totalBytes: parts.reduce((sum, { file }) => sum + file.size, 0),
    archives: parts.filter(({ isArchive }) => isArchive).map(({ path }) => path),
    photos: parts.flatMap(({ file, path, photo }) => (photo ? [{ file, path, photo }] : [])),
    photosWithin: parts.reduce((sum, { photosWithin }) => sum + photosWithin, 0),
    photosBeside: 0,
    refused: studies.length > 0 && studies.every(({ mixed }) => mixed.length > 0),
    damaged: [...damaged, ...parts.flatMap((part) => part.damaged)].map(leftOut),
    repaired: parts
      .flatMap(({ objects }) => objects)
      .flatMap(({ path, inspection }) =>
        inspection.repair === undefined ? [] : [{ path, reason: inspection.repair }],
      ),
    unopened: parts.flatMap(({ unopened }) => unopened),
    notTaken: parts.flatMap(({ notTaken }) => notTaken),
    remarks: parts.flatMap(({ remark }) => remark ?? []),
    patients: studies.length > 1 ? (mixedPatients(studies.map((study) => study.header)) ?? []) : [],
  };
}

function describeStudy(objects: readonly FoundObject[]): StudyWithin {
  const headers = objects.map(({ inspection }) => inspection.header);
  const facts = objects.flatMap(({ inspection }): InstanceFacts[] =>
    inspection.facts ? [inspection.facts] : [],
  );
  const header: FileHeader = {};
  // The first header that has a value speaks for the study: a report may lack what the images have.
  for (const each of headers) Object.assign(header, { ...each, ...header });
  const modalities = modalitiesOf(headers);
  if (modalities[0] !== undefined) header.modality = modalities[0];
  return {
    header,
    patientName: formatPersonName(header.patientName ?? ''),
    modalities,
    seriesCount: new Set(headers.map((each) => each.seriesInstanceUid)).size,
    imageCount: objects.length,
    gaps: findGaps(facts).map(({ message }) => message),
    mixed: mixedPatients(headers) ?? [],
  };
}

function modalitiesOf(headers: readonly FileHeader[]): string[] {
  const counts = new Map<string, number>();
  for (const { modality } of headers) {
    if (modality !== undefined) counts.set(modality, (counts.get(modality) ?? 0) + 1);
  }
  const rank = ([modality, count]: [string, number]) => (SECONDARY_MODALITIES.has(modality) ? 0 : count);
  return [...counts].sort((a, b) => rank(b) - rank(a)).map(([modality]) => modality);
}

export function leftOut({ path, reason }: LeftOutFile): LeftOutFile {
  return { path, reason };
}
