import type { ContentStep } from '@relaypacs/core/archive/content-step.js';
import { sniffContainer } from '@relaypacs/core/archive/sniff.js';
import type { FileFinding } from '@relaypacs/core/contract/uploads.js';
import type { Finding } from '@relaypacs/core/dicom/findings.js';
import { planRepair } from '@relaypacs/core/dicom/repair.js';
import { type DicomScan, scanDicom } from '@relaypacs/core/dicom/scan.js';
import type { ByteSource } from '@relaypacs/core/dicom/source.js';
import { areKeepable, digestPieces } from '../contents/source-pieces.js';
import type { DicomdirRecords } from '../dicom/dicomdir-records.js';
import {
  type IsolatedTasks,
  TaskFailed,
  TaskOutOfMemory,
  TaskTimedOut,
} from '../isolation/isolated-tasks.js';
import { withPatientId } from './add-patient-id.js';
import { derivedUid } from './derived-uid.js';
import { type DeliverableObject, type Examined, ignored, rejected } from './examined.js';
import {
  DICOMDIR_NOTED,
  HEIC,
  NOT_REPAIRABLE,
  OTHER_ARCHIVE,
  problemOfFinding,
  TWICE_PACKED,
  UNIDENTIFIED,
} from './intake-problems.js';

/** The largest table of contents that is read, in bytes. */
const MOST_DICOMDIR_BYTES = 16 * 1024 * 1024;
/** Tables of contents of one upload that are read. */
const MOST_DICOMDIRS = 20;
const HEAD_BYTES = 264;

/** What the examination of one upload shares. */
export interface ExaminationDeps {
  tasks: IsolatedTasks;
  /** Seeds the identifiers of objects that have none. */
  uploadId: string;
  /** What was found in the upload so far, for its limits. */
  spent: { entries: number; bytes: number; dicomdirs: number };
  /** The study the sender named, for objects that belong to none. */
  studyInstanceUid: string | undefined;
  /** For objects that have none, should they turn out to be of the patient the sender entered. */
  patientId: string | undefined;
}

/** Bytes that are to be looked at. */
export interface ContentToExamine {
  source: ByteSource;
  /** SHA-256 of all of them; taken when it is needed. */
  sha256(): Promise<Buffer>;
  /** The way to them from the uploaded file. */
  steps: readonly ContentStep[];
}

/** What the first bytes say of a content: a container to be opened, or something to be examined as it is. */
export function sniff(head: Uint8Array): ReturnType<typeof sniffContainer> | 'dicom' | 'otherArchive' {
  // A preamble may look like anything (PS3.10 §7.1): the prefix behind it decides.
  if (startsWith(head, 'DICM', 128)) return 'dicom';
  const container = sniffContainer(head);
  if (container !== undefined) return container;
  return OTHER_ARCHIVES.some(([start, offset]) => startsWith(head, start, offset))
    ? 'otherArchive'
    : undefined;
}

/** 7-Zip, RAR, bzip2, xz, tar (POSIX.1-1988 ustar). */
const OTHER_ARCHIVES: ReadonlyArray<readonly [string, number]> = [
  ["7z\xbc\xaf'\x1c", 0],
  ['Rar!\x1a\x07', 0],
  ['BZh', 0],
  ['\xfd7zXZ\0', 0],
  ['ustar', 257],
];

function startsWith(head: Uint8Array, text: string, offset: number): boolean {
  if (head.length < offset + text.length) return false;
  for (let i = 0; i < text.length; i += 1) if (head[offset + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** The first bytes of a content, as many as {@link sniff} looks at. */
export function readHead(content: ByteSource): Promise<Uint8Array> {
  return content.read(0, Math.min(HEAD_BYTES, content.size));
}

/**
 * Looks at a content that is no archive: DICOM, a picture, a table of contents, or something else. Content of any
 * sort leads to a verdict; only faults of the storage, and damage of a surrounding archive, are thrown.
 */
export async function examineContent(deps: ExaminationDeps, given: ContentToExamine): Promise<Examined> {
  const { source, steps } = given;
  const kind = sniff(await readHead(source));
  if (kind === 'jpeg' || kind === 'png') {
    return {
      kind: 'image',
      status: 'accepted',
      problem: undefined,
      findings: [],
      image: { format: kind, steps },
    };
  }
  if (kind === 'heic') return rejected('image', HEIC);
  if (kind === 'otherArchive') return rejected('archive', OTHER_ARCHIVE);
  // Within an archive: nobody packs twice on purpose.
  if (kind === 'gzip') return rejected('archive', TWICE_PACKED);
  // The scanner comes first: nothing else may touch a stranger's file before it.
  const scan = await scanDicom(source);
  const rejecting = scan.findings.find(({ tier }) => tier === 'reject');
  if (rejecting?.code === 'DICOMDIR') return examineDicomdir(deps, source, scan);
  if (!scan.isDicom && rejecting?.code !== 'EMPTY_FILE') {
    return ignored('other', problemOfFinding(rejecting ?? NOT_DICOM_FINDING, 'Not an image'));
  }
  const findings = scan.findings.map(toFileFinding);
  if (rejecting) {
    const title = scan.isDicom ? 'Damaged file' : 'Empty file';
    return rejected(scan.isDicom ? 'dicom' : 'other', problemOfFinding(rejecting, title), findings);
  }
  return examineObject(deps, given, scan, findings);
}

const NOT_DICOM_FINDING = { code: 'NOT_DICOM', message: 'This is not a DICOM file.' } as const;

const toFileFinding = ({ code, tier, message }: Finding): FileFinding => ({ code, tier, message });

async function examineObject(
  deps: ExaminationDeps,
  { source, sha256, steps }: ContentToExamine,
  scan: DicomScan,
  findings: FileFinding[],
): Promise<Examined> {
  let object: DeliverableObject | undefined;
  if (scan.needsRewrite) {
    const repair = await planRepair(source, scan, {
      studyInstanceUid: deps.studyInstanceUid ?? derivedUid(deps.uploadId, 'study'),
      seriesInstanceUid: derivedUid(deps.uploadId, 'series', 'unidentified'),
      sopInstanceUid: derivedUid(deps.uploadId, 'instance', (await sha256()).toString('hex')),
    });
    if (!repair || !areKeepable(repair.pieces)) {
      const cause = scan.findings.find(({ needsRewrite }) => needsRewrite);
      return rejected('dicom', NOT_REPAIRABLE(cause?.code, cause?.message), findings);
    }
    object = {
      attributes: repair.attributes,
      transferSyntaxUid: repair.transferSyntaxUid,
      size: repair.size,
      sha256: await digestPieces(source, repair.pieces),
      steps,
      pieces: repair.pieces,
    };
  } else if (scan.transferSyntaxUid !== undefined) {
    object = {
      attributes: scan.attributes,
      transferSyntaxUid: scan.transferSyntaxUid,
      size: source.size,
      sha256: await sha256(),
      steps,
      pieces: undefined,
    };
  }
  const { sopInstanceUid, seriesInstanceUid, studyInstanceUid, sopClassUid } = object?.attributes ?? {};
  if (!object || !sopInstanceUid || !seriesInstanceUid || !studyInstanceUid || !sopClassUid) {
    return rejected('dicom', UNIDENTIFIED, findings);
  }
  if (deps.patientId !== undefined && object.attributes.patientId === undefined) {
    object.withPatientId = await withPatientId(source, object, deps.patientId);
  }
  return { kind: 'dicom', status: 'accepted', problem: undefined, findings, object };
}

/** A table of contents is never sent; what it lists tells what is missing. */
async function examineDicomdir(
  { tasks, spent }: ExaminationDeps,
  source: ByteSource,
  scan: DicomScan,
): Promise<Examined> {
  const harmful = scan.findings.find(({ tier, code }) => tier === 'reject' && code !== 'DICOMDIR');
  const examined = ignored('dicomdir', DICOMDIR_NOTED);
  if (harmful || source.size > MOST_DICOMDIR_BYTES || spent.dicomdirs >= MOST_DICOMDIRS) return examined;
  spent.dicomdirs += 1;
  const bytes = await source.read(0, source.size);
  try {
    examined.dicomdir = await tasks.run<Uint8Array, DicomdirRecords>('dicomdir', bytes.slice());
  } catch (error) {
    // A table that cannot be read tells nothing; the images beside it are what counts.
    const isItsFault = [TaskFailed, TaskOutOfMemory, TaskTimedOut].some((kind) => error instanceof kind);
    if (!isItsFault) throw error;
  }
  return examined;
}
