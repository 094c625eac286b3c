import type { StudyAttributes } from './attributes.js';
import { type DatasetEdit, editDataset } from './dataset-edit.js';
import { insertElements } from './element-insertion.js';
import { concatBytes } from './encode.js';
import { encodeText } from './encode-text.js';
import { type Finding, formatTag, ScanRejection } from './findings.js';
import { DEFAULT_SCAN_LIMITS, type ScanLimits } from './limits.js';
import { type DicomScan, scanDicom } from './scan.js';
import { ScanClock } from './scan-clock.js';
import { type ByteSource, MeteredSource } from './source.js';
import { composedSize, composedSource, joinPieces, type SourcePiece } from './source-piece.js';
import { TAG } from './tags.js';

/** An object with a Patient ID it did not have. */
export interface PatientIdAddition {
  /** The file, in this order; ranges refer to the original. */
  pieces: SourcePiece[];
  /** Size in bytes. */
  size: number;
  /** What the file then says, as read from it. */
  attributes: StudyAttributes;
}

const PATIENT_ID = formatTag(TAG.patientId);
const SPACE = 0x20;

/**
 * Puts a Patient ID (0010,0020) into a file that has none or an empty one, in the file's own encoding and character
 * set; nothing else changes. What is returned was scanned once more, and says that ID.
 *
 * @param source - a file that can be delivered as it is
 * @returns `undefined` when the file has a Patient ID, when its character set cannot write this one, or when what comes
 * out would not be clean
 * @throws what `source.read` rejects with, and Error when the source returns too few bytes: the storage's faults
 */
export async function addPatientId(
  source: ByteSource,
  patientId: string,
  limits: Partial<ScanLimits> = {},
): Promise<PatientIdAddition | undefined> {
  const scan = await scanDicom(source, limits);
  const value = isInOrder(scan) ? encodeText(patientId, scan.characterSets) : undefined;
  const pieces = value && (await compose(source, scan, value, { ...DEFAULT_SCAN_LIMITS, ...limits }));
  if (!pieces) return undefined;
  const after = await scanDicom(composedSource(source, pieces), limits);
  const isClean =
    after.verdict !== 'invalid' && !after.needsRewrite && after.attributes.patientId === patientId;
  // A Patient ID that is written as something else, a sequence for example, is seen only by its tag, beside ours.
  if (!isClean || after.findings.some(isDuplicate)) return undefined;
  return { pieces, size: composedSize(pieces), attributes: after.attributes };
}

/** Where elements are out of order, another Patient ID may stand anywhere. */
const isInOrder = ({ findings }: DicomScan) => !findings.some(({ code }) => code === 'ELEMENT_ORDER');

const isDuplicate = ({ code, tag }: Finding) => code === 'DUPLICATE_ELEMENT' && tag === PATIENT_ID;

async function compose(
  source: ByteSource,
  { meta, encoding, transferSyntaxUid }: DicomScan,
  value: Uint8Array,
  limits: ScanLimits,
): Promise<SourcePiece[] | undefined> {
  if (meta === undefined || encoding === undefined) return undefined;
  const { datasetOffset } = meta;
  // PS3.5 §6.2: an LO is padded with a space.
  const padded = value.length % 2 === 0 ? value : concatBytes([value, Uint8Array.of(SPACE)]);
  const metered = new MeteredSource(source);
  const clock = new ScanClock(limits.deadlineMs, metered);
  const edit: DatasetEdit = (inner, start) =>
    insertElements(
      { source: inner, start, end: inner.size, encoding },
      [{ tag: TAG.patientId, vr: 'LO', value: padded }],
      limits,
      clock,
    );
  const dataset = { source: metered, datasetOffset, transferSyntaxUid };
  const pieces = await editDataset(dataset, edit, limits, clock).catch((error: unknown) => {
    if (error instanceof ScanRejection) return undefined;
    throw error;
  });
  return pieces && joinPieces([{ offset: 0, length: datasetOffset }, ...pieces]);
}
