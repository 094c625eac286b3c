import type { FileHeader, Inspection, Photo } from '../../workers/inspection.js';
import { describeCard, leftOut, studyKey } from './describe-study.js';
import { isInFolder, nothingIn, type Part, PICTURE_BESIDE, partOf, refusalOf } from './file-parts.js';
import type { PickedFile } from './picked-files.js';
import { withoutRepeatedObjects, withoutRepetitions } from './repetitions.js';

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
