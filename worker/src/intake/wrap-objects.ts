import { createHash } from 'node:crypto';
import type { Config } from '@relaypacs/core/config.js';
import { UNNAMED_PATIENT, type UploadProblem, type Warning } from '@relaypacs/core/contract/uploads.js';
import type { DerivedFile } from '@relaypacs/core/db/derived-files.js';
import { newId } from '@relaypacs/core/db/ids.js';
import type { KnownPatient } from '@relaypacs/core/db/studies.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import type { StudyAttributes } from '@relaypacs/core/dicom/attributes.js';
import { formatPersonName, toPersonName } from '@relaypacs/core/dicom/person-name.js';
import { scanDicom } from '@relaypacs/core/dicom/scan.js';
import { bytesSource } from '@relaypacs/core/dicom/source.js';
import type { ObjectStorage } from '@relaypacs/core/storage/object-storage.js';
import type { FileOpener } from '@relaypacs/core/storage/uploaded-files.js';
import { openStoredContent } from '../contents/stored-content.js';
import type { IsolatedTasks } from '../isolation/isolated-tasks.js';
import type { ClinicalNote } from '../wrapping/clinical-note.js';
import { buildNotePdfObject, buildNoteSrObject } from '../wrapping/note-objects.js';
import { renderNotePdf } from '../wrapping/note-pdf.js';
import { MAX_IMAGE_FILE_BYTES } from '../wrapping/prepared-image.js';
import type { WrapContext } from '../wrapping/wrap-context.js';
import { wrapImage } from '../wrapping/wrap-image.js';
import type { WrappedObject } from '../wrapping/wrapped-object.js';
import { isOfAnnouncedPatient } from './announced-patient.js';
import { derivedUid } from './derived-uid.js';
import { ignored, refuse, type Subject } from './examined.js';
import { isOfAnotherPatient, type StudyDraft, type StudyMember } from './group-studies.js';
import {
  IMAGE_BESIDE_STUDY,
  PICTURE_OF_ANOTHER_PATIENT,
  PICTURE_OF_NOBODY,
  STUDY_OF_ANOTHER_PATIENT,
  TOO_MANY_PICTURES,
} from './intake-problems.js';

/** Far from the numbers devices give: wrapped objects stand behind the images of a study. */
const SERIES = { camera: 9001, screen: 9002, pdf: 9101, sr: 9102 } as const;

/** Of one upload. Nobody takes as many photos of one patient; an archive can hold any number of small ones. */
const MOST_PICTURES = 200;
/** Of one upload, as DICOM: a few KB of PNG may unpack to a hundred MB. */
const MOST_WRAPPED_BYTES = 2 * 1024 ** 3;
const TOO_LARGE = `This picture has more than ${MAX_IMAGE_FILE_BYTES / 1024 / 1024} MiB. Save a smaller copy of it and send that.`;
const APPEND_BYTES = 256 * 1024;

export interface WrapDeps {
  files: FileOpener;
  storage: Pick<ObjectStorage, 'write'>;
  tasks: IsolatedTasks;
  noteObjects: Config['intake']['noteObjects'];
  /** Whose studies these are by what went to the PACS before. */
  patients: readonly KnownPatient[];
  /** Studies of this upload that were refused as a whole: nothing else may go into them either. */
  refused: ReadonlySet<string>;
  /** Aborted when the work is in other hands or is to stop. */
  signal: AbortSignal;
}

/** Whose upload it is, for what is written into objects. */
export interface WrapUpload {
  upload: UploadRow;
  /** Full name or user name of the sender. */
  author: string;
}

/** What was made, durable in the storage and not written down yet. */
export interface Wrapped {
  files: DerivedFile[];
  warnings: Warning[];
}

/** The same while it is being made. */
interface Wrapping extends Wrapped {
  /** SHA-256 of pictures that are wrapped, so that each is once. */
  pictures: Set<string>;
  bytes: number;
}

/**
 * Makes DICOM objects of pictures and of the clinical history, and adds them to the studies they belong to, or to a new
 * one. A picture that cannot be wrapped is refused with a reason.
 *
 * @throws faults of the storage
 */
export async function wrapObjects(
  deps: WrapDeps,
  sent: WrapUpload,
  subjects: readonly Subject[],
  studies: StudyDraft[],
): Promise<Wrapped> {
  const wrapped: Wrapping = { files: [], warnings: [], pictures: new Set(), bytes: 0 };
  leaveViewersPicturesOut(subjects);
  const pictures = subjects.filter(({ examined }) => examined.image);
  if (pictures.length > 0) {
    const study = studyForPictures(sent.upload, studies);
    const isNew = !studies.includes(study);
    const obstacle = obstacleTo(deps, sent.upload, study, isNew);
    if (obstacle) {
      for (const { examined } of pictures) refuse(examined, obstacle);
    } else {
      for (const [index, picture] of pictures.entries()) {
        deps.signal.throwIfAborted();
        await wrapPicture(deps, sent, picture, index + 1, study, wrapped);
      }
      if (isNew && study.members.length > 0) studies.push(study);
    }
  }
  await addNotes(deps, sent, studies, wrapped);
  return wrapped;
}

/** Discs carry logos and help pages beside the images: a picture counts when it was sent by itself. */
function leaveViewersPicturesOut(subjects: readonly Subject[]): void {
  if (!subjects.some(({ examined }) => examined.kind === 'dicom' || examined.kind === 'dicomdir')) return;
  for (const { file, path, examined } of subjects) {
    const isAlone = path === undefined && !/[\\/]/.test(file.relativePath ?? '');
    if (examined.image && !isAlone) {
      Object.assign(examined, ignored('image', IMAGE_BESIDE_STUDY));
      delete examined.image;
    }
  }
}

/** The study the sender named; else the only one of the announced patient; else a new one. */
function studyForPictures(upload: UploadRow, studies: readonly StudyDraft[]): StudyDraft {
  const announced = upload.studyInstanceUid;
  if (announced !== null) {
    const named = studies.find(({ studyInstanceUid }) => studyInstanceUid === announced);
    return named ?? newStudy(upload, announced);
  }
  const own = studies.filter((study) => isOfAnnouncedPatient(upload, study));
  const [only] = own.length === 1 ? own : [];
  return only ?? newStudy(upload, derivedUid(upload.id, 'study', 'pictures', patientOf(upload)));
}

/** Why pictures cannot go into a study, or make one up by themselves. */
function obstacleTo(
  { patients, refused }: Pick<WrapDeps, 'patients' | 'refused'>,
  upload: UploadRow,
  study: StudyDraft,
  isNew: boolean,
): UploadProblem | undefined {
  const { studyInstanceUid, attributes } = study;
  if (!isNew) return isOfAnnouncedPatient(upload, study) ? undefined : PICTURE_OF_ANOTHER_PATIENT;
  if (refused.has(studyInstanceUid)) return STUDY_OF_ANOTHER_PATIENT;
  if (upload.patientName === UNNAMED_PATIENT && upload.patientId === null) return PICTURE_OF_NOBODY;
  return isOfAnotherPatient(studyInstanceUid, [attributes], patients) ? STUDY_OF_ANOTHER_PATIENT : undefined;
}

function newStudy(upload: UploadRow, studyInstanceUid: string): StudyDraft {
  return { studyInstanceUid, attributes: announcedAttributes(upload), members: [], warnings: [] };
}

/** Corrected data make another study: the PACS may hold pictures under what was entered before. */
function patientOf({ patientName, patientId, patientBirthDate, patientSex }: UploadRow): string {
  return JSON.stringify([patientName, patientId, patientBirthDate, patientSex]);
}

function announcedAttributes(upload: UploadRow): StudyAttributes {
  const entries = {
    patientName: toPersonName(upload.patientName),
    patientId: upload.patientId,
    patientBirthDate: upload.patientBirthDate,
    patientSex: upload.patientSex,
    studyDate: upload.studyDate,
    studyDescription: upload.studyDescription,
  };
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== null));
}

async function wrapPicture(
  deps: WrapDeps,
  sent: WrapUpload,
  picture: Subject,
  number: number,
  study: StudyDraft,
  wrapped: Wrapping,
): Promise<void> {
  const { file, path, examined } = picture;
  if (!examined.image) return;
  const content = await openStoredContent(deps.files, file.id, examined.image.steps);
  try {
    if (content.size > MAX_IMAGE_FILE_BYTES) {
      refuse(examined, { code: 'IMAGE_TOO_LARGE', title: 'Picture not taken', detail: TOO_LARGE });
      return;
    }
    const bytes = await content.read(0, content.size);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (wrapped.pictures.has(sha256)) {
      examined.findings.push({
        code: 'DUPLICATE_FILE',
        tier: 'warn',
        message: 'The same picture is in this upload twice.',
      });
      return;
    }
    if (wrapped.pictures.size >= MOST_PICTURES || wrapped.bytes > MOST_WRAPPED_BYTES) {
      refuse(examined, TOO_MANY_PICTURES);
      return;
    }
    wrapped.pictures.add(sha256);
    const series = (origin: 'camera' | 'screen') => ({
      ...contextFor(sent, study, origin, sha256),
      seriesNumber: SERIES[origin],
      instanceNumber: number,
      seriesDescription: origin === 'camera' ? 'Photos' : 'Pictures',
    });
    const result = await wrapImage(deps.tasks, bytes, examined.image.format, series);
    if ('refused' in result) {
      const { code, message } = result.refused;
      refuse(examined, { code, title: 'Picture not taken', detail: message });
      return;
    }
    await keep(deps, sent.upload, study, result, `${path ?? file.filename}.dcm`, wrapped);
  } finally {
    await content.close();
  }
}

/** The clinical history goes with the studies of the announced patient, and with nobody else's. */
async function addNotes(
  deps: WrapDeps,
  sent: WrapUpload,
  studies: readonly StudyDraft[],
  wrapped: Wrapping,
): Promise<void> {
  const text = sent.upload.clinicalHistory;
  if (!text || deps.noteObjects.length === 0 || studies.length === 0) return;
  const targets = studies.filter((study) => isOfAnnouncedPatient(sent.upload, study));
  if (targets.length === 0) {
    wrapped.warnings.push({
      code: 'NOTE_NOT_ATTACHED',
      message:
        'The clinical history was not added to any study, because none of them is of the patient you entered. Tell the people who read the studies.',
    });
  }
  for (const study of targets) {
    deps.signal.throwIfAborted();
    await addNote(deps, sent, study, text, wrapped);
  }
}

async function addNote(
  deps: WrapDeps,
  sent: WrapUpload,
  study: StudyDraft,
  text: string,
  wrapped: Wrapping,
): Promise<void> {
  const { upload, author } = sent;
  const { attributes } = study;
  const note: ClinicalNote = {
    text,
    patientName: formatPersonName(attributes.patientName ?? toPersonName(upload.patientName)),
    patientId: attributes.patientId,
    patientBirthDate: attributes.patientBirthDate,
    patientSex: attributes.patientSex,
    studyDate: attributes.studyDate ?? upload.studyDate,
    studyDescription: attributes.studyDescription,
    serviceLevel: upload.serviceLevel,
    author,
    sentAt: upload.createdAt,
  };
  for (const kind of deps.noteObjects) {
    const context = {
      ...contextFor(sent, study, kind, study.studyInstanceUid),
      seriesNumber: SERIES[kind],
      instanceNumber: 1,
      seriesDescription: 'Clinical history',
    };
    const object =
      kind === 'pdf'
        ? buildNotePdfObject(note, await renderNotePdf(note), context)
        : buildNoteSrObject(note, context);
    await keep(deps, upload, study, object, `clinical-history-${kind}.dcm`, wrapped, { isNote: true });
  }
}

/** Whose study the object belongs to: what its images say; what was announced only fills what they leave open. */
function contextFor(
  { upload }: WrapUpload,
  { studyInstanceUid, attributes }: StudyDraft,
  role: string,
  source: string,
): Omit<WrapContext, 'seriesNumber' | 'instanceNumber' | 'seriesDescription'> {
  const about = {
    patientName: attributes.patientName ?? toPersonName(upload.patientName),
    patientId: attributes.patientId,
    patientBirthDate: attributes.patientBirthDate,
    patientSex: attributes.patientSex,
    studyDate: attributes.studyDate ?? upload.studyDate,
    studyTime: attributes.studyTime,
    studyId: attributes.studyId,
    studyDescription: attributes.studyDescription ?? upload.studyDescription ?? undefined,
    accessionNumber: attributes.accessionNumber,
    referringPhysicianName: attributes.referringPhysicianName,
    madeAt: upload.receivedAt ?? upload.createdAt,
  };
  return {
    ...about,
    // Whatever is written otherwise after a correction is another object: the PACS may hold the one before.
    sopInstanceUid: derivedUid(upload.id, 'instance', role, source, JSON.stringify(about)),
    seriesInstanceUid: derivedUid(upload.id, 'series', role, studyInstanceUid),
    studyInstanceUid,
  };
}

/** Brings an object's bytes to the storage and adds it to its study. What we write must pass our own checks. */
async function keep(
  { storage }: WrapDeps,
  upload: UploadRow,
  study: StudyDraft,
  object: WrappedObject,
  filename: string,
  wrapped: Wrapping,
  role: Pick<StudyMember, 'isNote'> = {},
): Promise<void> {
  const { bytes, transferSyntaxUid } = object;
  const scan = await scanDicom(bytesSource(bytes));
  if (scan.verdict !== 'valid') {
    throw new Error(
      `A wrapped object is ${scan.verdict}: ${scan.findings.map(({ code }) => code).join(', ')}`,
    );
  }
  const id = newId();
  const writer = storage.write({ fileId: id, offset: 0 });
  try {
    for (let at = 0; at < bytes.length; at += APPEND_BYTES) {
      await writer.append([bytes.subarray(at, at + APPEND_BYTES)]);
    }
    const segments = await writer.sync();
    const sha256 = createHash('sha256').update(bytes).digest();
    const size = bytes.length;
    wrapped.bytes += size;
    wrapped.files.push({ id, uploadId: upload.id, filename, size, sha256, segments });
    study.members.push({
      ...role,
      fileId: id,
      object: { attributes: scan.attributes, transferSyntaxUid, size, sha256, steps: [], pieces: undefined },
    });
  } finally {
    await writer.close();
  }
}
