import type { StudyAttributes } from './attributes.js';
import type { DatasetEdit } from './dataset-edit.js';
import { editDataset } from './dataset-edit.js';
import type { Encoding } from './encoding.js';
import { encodeFileHead, PREAMBLE_BYTES } from './file-meta.js';
import type { FindingCode } from './findings.js';
import { ScanRejection } from './findings.js';
import type { NewIdentity } from './identity-insertion.js';
import { insertIdentity } from './identity-insertion.js';
import type { ScanLimits } from './limits.js';
import { DEFAULT_SCAN_LIMITS } from './limits.js';
import { sniffTransferSyntax } from './pixel-coding.js';
import type { DicomScan, FileMeta } from './scan.js';
import { scanDicom } from './scan.js';
import { ScanClock } from './scan-clock.js';
import type { ByteSource } from './source.js';
import { MeteredSource } from './source.js';
import type { SourcePiece } from './source-piece.js';
import { composedSize, composedSource, joinPieces } from './source-piece.js';
import { describeTransferSyntax, EXPLICIT_VR_LITTLE_ENDIAN, transferSyntaxOf } from './transfer-syntax.js';
import { judgeUid } from './uid.js';

export type { NewIdentity } from './identity-insertion.js';

/** How a file is delivered in place of its original bytes. */
export interface Repair {
  /** The file, in this order; ranges refer to the original. */
  pieces: SourcePiece[];
  /** Size of the repaired file, in bytes. */
  size: number;
  transferSyntaxUid: string;
  /** What the repaired file says, as read from it. */
  attributes: StudyAttributes;
  /** What was wrong and was mended, for the log. */
  changes: { code: FindingCode; message: string }[];
}

/** Faults of the file header that are cured by a new one. */
const NEEDS_NEW_HEAD: readonly FindingCode[] = [
  'META_GROUP_LENGTH_TOO_LONG',
  'META_IMPLICIT_VR',
  'META_DAMAGED',
  'TRANSFER_SYNTAX_MISMATCH',
  'UIDS_ABSENT',
];

interface Task {
  source: ByteSource;
  scan: DicomScan;
  meta: FileMeta;
  codes: ReadonlySet<FindingCode>;
  identity: NewIdentity;
  limits: ScanLimits;
  clock: ScanClock;
}

/**
 * Plans the cure of every finding with `needsRewrite`: new header bytes in front of, and within, the original, whose
 * pixel data is never copied. (The one exception is a deflated data set that has to be edited: it is deflated anew, and
 * kept in memory within the limits of the scan.) What is returned was scanned once more and is clean.
 *
 * @param scan what `scanDicom` said of this very source
 * @param identity for an object that has no identifiers at all
 * @returns `undefined` when there is nothing to be mended, or no cure
 * @throws what `source.read` rejects with, and Error when the source returns too few bytes: the storage's faults
 */
export async function planRepair(
  source: ByteSource,
  scan: DicomScan,
  identity: NewIdentity,
  limits: Partial<ScanLimits> = {},
): Promise<Repair | undefined> {
  const { meta } = scan;
  if (scan.verdict !== 'repairable' || !scan.needsRewrite || meta === undefined) return undefined;
  const metered = new MeteredSource(source);
  const allLimits = { ...DEFAULT_SCAN_LIMITS, ...limits };
  const clock = new ScanClock(allLimits.deadlineMs, metered);
  const codes = new Set(scan.findings.map(({ code }) => code));
  const task: Task = { source: metered, scan, meta, codes, identity, limits: allLimits, clock };
  const pieces = await composePieces(task).catch((error: unknown) => {
    if (error instanceof ScanRejection) return undefined;
    throw error;
  });
  if (pieces === undefined) return undefined;
  const repaired = await scanDicom(composedSource(source, pieces), limits);
  const { transferSyntaxUid, attributes } = repaired;
  if (repaired.verdict === 'invalid' || repaired.needsRewrite) return undefined;
  if (transferSyntaxUid === undefined) return undefined;
  const changes = scan.findings
    .filter(({ needsRewrite }) => needsRewrite)
    .map(({ code, message }) => ({ code, message }));
  return { pieces, size: composedSize(pieces), transferSyntaxUid, attributes, changes };
}

async function composePieces(task: Task): Promise<SourcePiece[] | undefined> {
  const { source, scan, codes, limits, clock } = task;
  const { datasetOffset } = task.meta;
  const head = await headPieces(task);
  if (head === undefined) return undefined;
  if (!codes.has('UIDS_ABSENT') && !codes.has('TRAILING_BYTES')) {
    return joinPieces([...head, { offset: datasetOffset, length: source.size - datasetOffset }]);
  }
  const { transferSyntaxUid } = scan;
  const edit: DatasetEdit = (inner, start) => datasetPieces(task, inner, start);
  const dataset = await editDataset({ source, datasetOffset, transferSyntaxUid }, edit, limits, clock);
  return dataset && joinPieces([...head, ...dataset]);
}

/** Everything in front of the data set; `undefined` when a new header would have to name an unknown encoding. */
async function headPieces(task: Task): Promise<SourcePiece[] | undefined> {
  const { scan, meta, codes, identity } = task;
  if (scan.transferSyntaxUid === undefined || NEEDS_NEW_HEAD.some((code) => codes.has(code))) {
    const { sopClassUid, sopInstanceUid = identity.sopInstanceUid } = scan.attributes;
    const transferSyntaxUid = await realTransferSyntax(task);
    if (sopClassUid === undefined || transferSyntaxUid === undefined) return undefined;
    return [{ bytes: encodeFileHead({ sopClassUid, sopInstanceUid, transferSyntaxUid }) }];
  }
  const original = { offset: 0, length: meta.datasetOffset };
  const emptyPreamble = { bytes: new Uint8Array(PREAMBLE_BYTES) };
  if (codes.has('PREAMBLE_CUT_OFF')) return [emptyPreamble, original];
  if (!codes.has('PREAMBLE_EXECUTABLE')) return [original];
  return [emptyPreamble, { offset: PREAMBLE_BYTES, length: meta.datasetOffset - PREAMBLE_BYTES }];
}

/** The transfer syntax to name in a new header: how the elements are written, and how the pixels are. */
async function realTransferSyntax({ source, scan, codes }: Task): Promise<string | undefined> {
  const { transferSyntaxUid = '', encoding, pixelData } = scan;
  if (encoding === undefined) return undefined;
  const known = judgeUid(transferSyntaxUid) !== 'invalid';
  const named = known ? describeTransferSyntax(transferSyntaxUid) : undefined;
  if (named?.deflated) return named.uid;
  if (pixelData?.encapsulated === true) {
    if (named !== undefined && named.encapsulated !== false) return named.uid;
    // PS3.5 §A.4: whatever is compressed is in Explicit VR Little Endian otherwise.
    const coding = isExplicitLittle(encoding) ? await sniffTransferSyntax(source, pixelData) : undefined;
    // What the file itself names is kept when nothing better can be told, but not what only fits its elements.
    return coding ?? (codes.has('TRANSFER_SYNTAX_MISMATCH') ? undefined : named?.uid);
  }
  if (pixelData !== undefined && named?.encapsulated === true) return EXPLICIT_VR_LITTLE_ENDIAN;
  return named?.uid ?? transferSyntaxOf(encoding);
}

function isExplicitLittle({ explicitVr, littleEndian }: Encoding): boolean {
  return explicitVr && littleEndian;
}

/** The data set with its identifiers, and without the bytes behind it; offsets refer to `source`. */
async function datasetPieces(
  task: Task,
  source: ByteSource,
  start: number,
): Promise<SourcePiece[] | undefined> {
  const { scan, codes, identity, limits, clock } = task;
  const trailing = scan.findings.find(({ code }) => code === 'TRAILING_BYTES');
  const end = trailing?.offset ?? source.size;
  const { encoding } = scan;
  if (!codes.has('UIDS_ABSENT') || encoding === undefined) return [{ offset: start, length: end - start }];
  return insertIdentity({ source, start, end, encoding }, identity, limits, clock);
}
