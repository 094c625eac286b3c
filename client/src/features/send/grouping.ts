import { formatPersonName } from '@relaypacs/core/dicom/person-name.js';
import type { FileHeader, Inspection } from '../../workers/inspect-file.js';
import type { PickedFile } from './picked-files.js';

export interface InspectedFile extends PickedFile {
  inspection: Inspection;
}

export interface LeftOutFile {
  path: string;
  /** A sentence for people. */
  reason: string;
}

/** A file that is no DICOM. */
export interface OtherFile extends LeftOutFile {
  /** It has no byte. */
  empty: boolean;
}

/** One study found among the picked files. */
export interface FoundStudy {
  /** The same for the same study when more files are picked. */
  key: string;
  /** What the headers say; what they lack has to be asked for. */
  header: FileHeader;
  /** Readable form of the patient's name; empty when the headers have none. */
  patientName: string;
  /** All modalities, the one of the most images first. */
  modalities: string[];
  seriesCount: number;
  files: PickedFile[];
  totalBytes: number;
  damaged: LeftOutFile[];
  /** Names of all patients, when the images disagree on whose study it is. */
  patients: string[];
}

export interface Grouping {
  studies: FoundStudy[];
  /** Damaged images that belong to none of the studies. */
  damaged: LeftOutFile[];
  /** What is not DICOM at all. */
  others: OtherFile[];
}

/** Notes, reports and key images go along with a study; they do not say what it was taken with. */
const SECONDARY_MODALITIES = new Set(['SR', 'PR', 'KO', 'OT', 'DOC', 'REG', 'SEG', 'RTSTRUCT']);

/** Sorts files into studies by Study Instance UID. A file that was picked twice counts once. */
export function groupStudies(files: readonly InspectedFile[]): Grouping {
  const usable = new Map<string, Array<InspectedFile & { header: FileHeader }>>();
  const damaged: Array<LeftOutFile & { header: FileHeader }> = [];
  const others: OtherFile[] = [];
  for (const file of withoutRepetitions(files)) {
    const { inspection, path } = file;
    if (inspection.kind === 'other') {
      others.push({ path, reason: inspection.reason, empty: file.file.size === 0 });
    } else if (inspection.kind === 'damaged') damaged.push({ path, ...inspection });
    else {
      const key = studyKey(inspection.header);
      const study = usable.get(key) ?? [];
      study.push({ ...file, header: inspection.header });
      usable.set(key, study);
    }
  }
  const belongs = (file: { header: FileHeader }, key: string) => studyKey(file.header) === key;
  return {
    studies: [...usable]
      .map(([key, members]) =>
        describeStudy(
          key,
          members,
          damaged.filter((file) => belongs(file, key)),
        ),
      )
      .sort((a, b) => a.patientName.localeCompare(b.patientName) || a.key.localeCompare(b.key)),
    damaged: damaged.filter((file) => !usable.has(studyKey(file.header))).map(leftOut),
    others,
  };
}

function withoutRepetitions(files: readonly InspectedFile[]): InspectedFile[] {
  const first = new Map<string, InspectedFile>();
  for (const file of files) {
    const { inspection } = file;
    const uid = inspection.kind === 'usable' ? inspection.header.sopInstanceUid : undefined;
    const key = `${uid ?? file.path}|${file.file.size}`;
    if (!first.has(key)) first.set(key, file);
  }
  return [...first.values()];
}

/** Images without identifiers of their own are kept together by patient, date and modality. */
function studyKey(header: FileHeader): string {
  const { patientId = '', patientName = '', studyDate = '', modality = '' } = header;
  return header.studyInstanceUid ?? ['no UID', patientId, patientName, studyDate, modality].join('|');
}

function describeStudy(
  key: string,
  members: ReadonlyArray<PickedFile & { header: FileHeader }>,
  damaged: ReadonlyArray<LeftOutFile>,
): FoundStudy {
  const headers = members.map((member) => member.header);
  const header: FileHeader = {};
  // The first header that has a value speaks for the study: a report may lack what the images have.
  for (const each of headers) Object.assign(header, { ...each, ...header });
  const modalities = modalitiesOf(headers);
  if (modalities[0] !== undefined) header.modality = modalities[0];
  return {
    key,
    header,
    patientName: formatPersonName(header.patientName ?? ''),
    modalities,
    seriesCount: new Set(headers.map((each) => each.seriesInstanceUid)).size,
    files: members.map(({ file, path }) => ({ file, path })),
    totalBytes: members.reduce((sum, { file }) => sum + file.size, 0),
    damaged: damaged.map(leftOut),
    patients: patientsOf(headers),
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

function patientsOf(headers: readonly FileHeader[]): string[] {
  const patients = new Map<string, string>();
  for (const { patientId, patientName } of headers) {
    if (patientId === undefined && patientName === undefined) continue;
    const name = formatPersonName(patientName ?? '');
    // A missing ID does not make another patient, nor do case and punctuation.
    patients.set(patientId ?? name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, ' '), name || (patientId ?? ''));
  }
  return patients.size > 1 ? [...patients.values()] : [];
}

function leftOut({ path, reason }: LeftOutFile): LeftOutFile {
  return { path, reason };
}
