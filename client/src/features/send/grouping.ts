import { formatPersonName } from '@relaypacs/core/dicom/person-name.js';
import { findGaps } from '@relaypacs/core/studies/completeness.js';
import type { InstanceFacts } from '@relaypacs/core/studies/instance-facts.js';
import { mixedPatients } from '@relaypacs/core/studies/patients.js';
import type {
  ContentInspection,
  FileHeader,
  InspectedEntry,
  Inspection,
  Photo,
  UsableObject,
} from '../../workers/inspection.js';
import type { PickedFile } from './picked-files.js';

export interface InspectedFile extends PickedFile {
  inspection: Inspection;
}

export interface LeftOutFile {
  path: string;
  /** A sentence for people. */
  reason: string;
}

/** A file that is nothing that can be sent. */
export interface OtherFile extends LeftOutFile {
  /** It has no byte. */
  empty: boolean;
  /** Somebody meant to send it, and can do something about it. */
  wanted: boolean;
}

export interface PickedPhoto extends PickedFile {
  photo: Photo;
}

/** One DICOM study among what goes with one upload. */
export interface StudyWithin {
  /** What the headers say; what they lack has to be asked for. */
  header: FileHeader;
  /** Readable form of the patient's name; empty when the headers have none. */
  patientName: string;
  /** All modalities, the one of the most images first. */
  modalities: string[];
  seriesCount: number;
  imageCount: number;
  /** Which images seem to be missing, in sentences. */
  gaps: string[];
  /** Names of all patients, when the images certainly belong to more than one: the server refuses the study. */
  mixed: string[];
}

/** What becomes one upload: a study, the studies of an archive, or photos. */
export interface FoundStudy {
  /** The same for the same study when more files are picked. */
  key: string;
  kind: 'images' | 'photos';
  /** Those with the most images first; none for photos, several only when an archive holds them. */
  studies: StudyWithin[];
  /** Of the first study. */
  header: FileHeader;
  patientName: string;
  modalities: string[];
  seriesCount: number;
  imageCount: number;
  /** What is sent: DICOM files, archives as they are, photos. */
  files: PickedFile[];
  totalBytes: number;
  /** Names of the archives among the files. */
  archives: string[];
  /** Those among the files. */
  photos: PickedPhoto[];
  /** Photos within archives that hold nothing else. */
  photosWithin: number;
  /** Photos picked beside the only study there is; they go with it or on their own, as the person says. */
  photosBeside: number;
  /** Every study in it is of several patients. */
  refused: boolean;
  damaged: LeftOutFile[];
  /** What the server has to mend. */
  repaired: LeftOutFile[];
  /** Files that cannot be taken out of their archive, or not be used there. */
  unopened: LeftOutFile[];
  /** Files within archives that are nothing the PACS could take. */
  notTaken: LeftOutFile[];
  /** Doubts about archives as a whole. */
  remarks: string[];
  /** Names of all patients, when the studies of an archive certainly belong to more than one. */
  patients: string[];
}

export interface Grouping {
  studies: FoundStudy[];
  /** Damaged images that belong to none of the studies. */
  damaged: LeftOutFile[];
  /** What is neither DICOM nor a photo. */
  others: OtherFile[];
}

export interface GroupingChoices {
  /** Photos picked beside the only study do not belong to it. */
  photosApart: boolean;
}

/** Of the card that photos make when they belong to no study. */
export const PHOTOS_KEY = 'photos';

/** Notes, reports and key images go along with a study; they do not say what it was taken with. */
const SECONDARY_MODALITIES = new Set(['SR', 'PR', 'KO', 'OT', 'DOC', 'REG', 'SEG', 'RTSTRUCT']);

/** One DICOM object, in a picked file or in an archive. */
interface FoundObject {
  path: string;
  size: number;
  inspection: UsableObject;
}

/** A picked file with what of it the PACS can take. */
interface Part extends PickedFile {
  objects: FoundObject[];
  photo: Photo | undefined;
  photosWithin: number;
  isArchive: boolean;
  damaged: LeftOutFile[];
  unopened: LeftOutFile[];
  notTaken: LeftOutFile[];
  remark: string | undefined;
}

/**
 * Sorts files into uploads: DICOM by Study Instance UID, what an archive holds together with it, photos by themselves
 * or with the only study there is. A file that was picked twice counts once.
 */
export function groupStudies(
  files: readonly InspectedFile[],
  { photosApart }: GroupingChoices = { photosApart: false },
): Grouping {
  const parts: Part[] = [];
  const others: OtherFile[] = [];
  const damaged: Array<LeftOutFile & { header: FileHeader }> = [];
  for (const file of withoutRepetitions(files)) {
    const { inspection, path } = file;
    if (inspection.kind === 'other' || inspection.kind === 'heic') {
      others.push({ path, ...refusalOf(inspection), empty: file.file.size === 0 });
    } else if (inspection.kind === 'damaged') damaged.push({ path, ...inspection });
    else parts.push(partOf(file, inspection));
  }
  const empty = parts.filter((part) => part.objects.length === 0 && !part.photo && part.photosWithin === 0);
  for (const part of empty) {
    others.push({ path: part.path, reason: nothingIn(part), empty: false, wanted: true });
  }
  const withImages = parts.filter(({ objects }) => objects.length > 0);
  const withPhotos = parts.filter(({ photo, photosWithin }) => photo !== undefined || photosWithin > 0);
  // The server goes by the same rule: discs carry logos and help pages beside the images.
  const ofViewers = withImages.length > 0 ? withPhotos.filter(isInFolder) : [];
  for (const { path } of ofViewers)
    others.push({ path, reason: PICTURE_BESIDE, empty: false, wanted: false });
  const photoParts = withPhotos.filter((part) => !ofViewers.includes(part));
  const claimed = new Set<LeftOutFile>();
  const cards = connected(withoutRepeatedObjects(withImages)).map(({ keys, parts: own }) => {
    const mine = damaged.filter(({ header }) => keys.has(studyKey(header)));
    for (const file of mine) claimed.add(file);
    return { own, mine, study: describeCard(own, mine) };
  });
  const [only] = cards;
  let alone = photoParts;
  // Photos taken beside one study are of its patient; beside several nothing tells of whose.
  if (only && cards.length === 1 && only.study.studies.length === 1 && !only.study.refused) {
    const beside = photoParts.filter(({ photo }) => photo !== undefined);
    const together = photosApart ? [] : beside;
    only.study = { ...describeCard([...only.own, ...together], only.mine), photosBeside: beside.length };
    alone = photoParts.filter((part) => !together.includes(part));
  }
  const studies = cards
    .map(({ study }) => study)
    .sort((a, b) => a.patientName.localeCompare(b.patientName) || a.key.localeCompare(b.key));
  if (alone.length > 0) studies.push(describeCard(alone, []));
  return { studies, damaged: damaged.filter((file) => !claimed.has(file)).map(leftOut), others };
}

const isInFolder = ({ photo, path }: Part) => photo !== undefined && path.includes('/');

const PICTURE_BESIDE =
  'A picture in a folder or an archive of images mostly belongs to a viewer. Choose it by itself to send it.';

function refusalOf(
  inspection: Extract<ContentInspection, { kind: 'other' | 'heic' }>,
  heicReason = 'This photo has to become a JPEG first.',
): { reason: string; wanted: boolean } {
  if (inspection.kind === 'heic') return { reason: heicReason, wanted: true };
  return { reason: inspection.reason, wanted: inspection.wanted ?? false };
}

/** Why an archive is left out: often one thing is the matter with everything in it, such as a password. */
function nothingIn({ damaged, unopened, notTaken }: Part): string {
  const reasons = new Set([...damaged, ...unopened, ...notTaken].map(({ reason }) => reason));
  const [reason] = reasons;
  return reasons.size === 1
    ? `Nothing in it can be sent. ${reason}`
    : 'There is no image in it that can be sent.';
}

function partOf(
  { file, path }: PickedFile,
  found: Extract<Inspection, { kind: 'usable' | 'image' | 'archive' }>,
): Part {
  const part: Part = {
    file,
    path,
    objects: [],
    photo: undefined,
    photosWithin: 0,
    isArchive: found.kind === 'archive',
    damaged: [],
    unopened: [],
    notTaken: [],
    remark: undefined,
  };
  if (found.kind === 'usable') part.objects.push({ path, size: file.size, inspection: found });
  else if (found.kind === 'image') part.photo = found;
  else {
    part.remark = found.remark;
    for (const entry of found.entries) addEntry(part, entry);
    if (part.objects.length > 0) withoutViewersPictures(part, found.entries);
  }
  return part;
}

function withoutViewersPictures(part: Part, entries: readonly InspectedEntry[]): void {
  part.photosWithin = 0;
  for (const { path, inspection } of entries) {
    if (inspection.kind === 'image')
      part.notTaken.push({ path: `${part.path}/${path}`, reason: PICTURE_BESIDE });
  }
}

function addEntry(part: Part, { path: within, size, inspection }: InspectedEntry): void {
  const path = within === '' ? part.path : `${part.path}/${within}`;
  switch (inspection.kind) {
    case 'usable':
      part.objects.push({ path, size, inspection });
      break;
    case 'image':
      part.photosWithin += 1;
      break;
    case 'damaged':
      part.damaged.push({ path, reason: inspection.reason });
      break;
    case 'refused':
      part.unopened.push({ path, reason: inspection.reason });
      break;
    default: {
      const { reason, wanted } = refusalOf(inspection, HEIC_WITHIN);
      (wanted ? part.unopened : part.notTaken).push({ path, reason });
    }
  }
}

const HEIC_WITHIN =
  'Photos in the HEIC format cannot be used within an archive. Unpack it and choose the photo itself.';

/** The same file from two folders, or picked a second time. A camera gives one name to all of its photos. */
function withoutRepetitions(files: readonly InspectedFile[]): InspectedFile[] {
  const first = new Map<string, InspectedFile>();
  for (const file of files) {
    const { inspection } = file;
    const uid = inspection.kind === 'usable' ? inspection.header.sopInstanceUid : undefined;
    const taken = inspection.kind === 'image' ? `|${file.file.lastModified}` : '';
    const key = `${uid ?? file.path}|${file.file.size}${taken}`;
    if (!first.has(key)) first.set(key, file);
  }
  return withPathsOfTheirOwn([...first.values()]);
}

/** Two files of one path and size could not be told apart when an interrupted upload is continued. */
function withPathsOfTheirOwn(files: readonly InspectedFile[]): InspectedFile[] {
  const taken = new Set<string>();
  return files.map((file) => {
    let { path } = file;
    if (file.inspection.kind === 'image') {
      for (let number = 2; taken.has(path); number += 1) path = numbered(file.path, number);
    }
    taken.add(path);
    return path === file.path ? file : { ...file, path };
  });
}

const numbered = (path: string, number: number) =>
  /\.[^./]*$/.test(path) ? path.replace(/(\.[^./]*)$/, ` (${number})$1`) : `${path} (${number})`;

/** An image that lies in an archive, which is sent as it is, is not sent a second time beside it. */
function withoutRepeatedObjects(parts: readonly Part[]): Part[] {
  const first = new Map<string, Part>();
  const keep = (part: Part): Part => {
    const objects = part.objects.filter(({ inspection, path, size }) => {
      const key = `${inspection.header.sopInstanceUid ?? path}|${size}`;
      const there = first.has(key);
      if (!there) first.set(key, part);
      return !there;
    });
    return objects.length === part.objects.length ? part : { ...part, objects };
  };
  const archives = parts.filter(({ isArchive }) => isArchive).map(keep);
  const loose = parts.filter(({ isArchive }) => !isArchive).map(keep);
  return [...archives, ...loose].filter(({ objects }) => objects.length > 0);
}

interface Component {
  keys: Set<string>;
  parts: Part[];
}

/** Files that must go together: those of one study, and all that share a study with an archive. */
function connected(parts: readonly Part[]): Component[] {
  const byKey = new Map<string, Component>();
  for (const part of parts) {
    const joined: Component = { keys: new Set(), parts: [] };
    for (const { inspection } of part.objects) joined.keys.add(studyKey(inspection.header));
    const before = new Set([...joined.keys].flatMap((key) => byKey.get(key) ?? []));
    // The usual case, thousands of times: one more image of a study that is there already.
    const [same] = before;
    if (same && before.size === 1 && [...joined.keys].every((key) => same.keys.has(key))) {
      same.parts.push(part);
      continue;
    }
    for (const component of before) {
      joined.parts.push(...component.parts);
      for (const key of component.keys) joined.keys.add(key);
    }
    joined.parts.push(part);
    for (const key of joined.keys) byKey.set(key, joined);
  }
  return [...new Set(byKey.values())];
}

/** Images without identifiers of their own are kept together by patient, date and modality. */
function studyKey(header: FileHeader): string {
  const { patientId = '', patientName = '', studyDate = '', modality = '' } = header;
  return header.studyInstanceUid ?? ['no UID', patientId, patientName, studyDate, modality].join('|');
}

function describeCard(parts: readonly Part[], damaged: ReadonlyArray<LeftOutFile>): FoundStudy {
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

function leftOut({ path, reason }: LeftOutFile): LeftOutFile {
  return { path, reason };
}
