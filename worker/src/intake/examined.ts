import type { ContentStep } from '@relaypacs/core/archive/content-step.js';
import type { FileFinding, FileKind, UploadProblem } from '@relaypacs/core/contract/uploads.js';
import type { UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import type { StudyAttributes } from '@relaypacs/core/dicom/attributes.js';
import type { SourcePiece } from '@relaypacs/core/dicom/source-piece.js';
import type { DicomdirRecords } from '../dicom/dicomdir-records.js';

/** A DICOM object that can be delivered, and where its bytes are. */
export interface DeliverableObject {
  attributes: StudyAttributes;
  transferSyntaxUid: string;
  /** Bytes of what is delivered, and their digest. */
  size: number;
  sha256: Buffer;
  /** The way from the uploaded file into archives; empty: it is the uploaded file. */
  steps: readonly ContentStep[];
  /** Of a repaired object. */
  pieces: readonly SourcePiece[] | undefined;
  /** The same with the Patient ID the sender entered, where it has none; undefined where that cannot be added. */
  withPatientId?: RewrittenObject | undefined;
}

/** What an edit of its header changes about an object. */
export type RewrittenObject = Pick<DeliverableObject, 'attributes' | 'size' | 'sha256' | 'pieces'>;

/** A picture that is to be wrapped as DICOM. */
export interface FoundImage {
  format: 'jpeg' | 'png';
  steps: readonly ContentStep[];
}

/** What the checks say of one file, or of one file within an archive. */
export interface Examined {
  kind: FileKind;
  status: 'accepted' | 'rejected' | 'ignored';
  /** Why it was rejected or ignored. */
  problem: UploadProblem | undefined;
  findings: FileFinding[];
  object?: DeliverableObject;
  image?: FoundImage;
  dicomdir?: DicomdirRecords;
}

export interface ExaminedEntry extends Examined {
  /** Path in the archive. */
  path: string;
  /** Bytes, unpacked; null where the archive does not say. */
  size: number | null;
}

/** An uploaded file that was read, with what it holds when it is an archive. */
export interface ReadFile extends Examined {
  file: UploadFileRow;
  size: number;
  /** Null where the sender has announced none. */
  md5: Buffer | null;
  sha256: Buffer;
  entries: ExaminedEntry[];
}

/** A file of which not all that arrived is there any more: nothing can be said of its contents. */
export interface LostFile extends Examined {
  file: UploadFileRow;
  md5: null;
  sha256: null;
  entries: ExaminedEntry[];
}

/** A file that is an object by itself, as it was found before. */
export type KnownObject = Omit<ReadFile, 'file'>;

export type CheckedFile = ReadFile | LostFile;

/** True when the bytes of the file are not there any more. */
export function isLost(file: CheckedFile): file is LostFile {
  return file.sha256 === null;
}

export function rejected(kind: FileKind, problem: UploadProblem, findings: FileFinding[] = []): Examined {
  return { kind, status: 'rejected', problem, findings };
}

export function ignored(kind: FileKind, problem: UploadProblem, findings: FileFinding[] = []): Examined {
  return { kind, status: 'ignored', problem, findings };
}

/** Something that may be delivered, and the uploaded file it lies in. */
export interface Subject {
  file: UploadFileRow;
  /** For a file within an archive. */
  path: string | undefined;
  examined: Examined;
}

/** Everything that was looked at: files that are no archives, and what the archives hold. */
export function subjectsOf(files: readonly CheckedFile[]): Subject[] {
  return files.flatMap((checked): Subject[] =>
    checked.entries.length > 0
      ? checked.entries.map((entry) => ({ file: checked.file, path: entry.path, examined: entry }))
      : [{ file: checked.file, path: undefined, examined: checked }],
  );
}

/** Takes a verdict back: what two objects say of each other is known only when all of them are. */
export function refuse(examined: Examined, problem: UploadProblem): void {
  examined.status = 'rejected';
  examined.problem = problem;
  delete examined.object;
  delete examined.image;
}
