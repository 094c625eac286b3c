import type { StudyAttributes } from './attributes.js';
import { ATTRIBUTE_TAGS, plainValues, readAttributes } from './attributes.js';
import type { PixelDataPlace } from './captured.js';
import { DatasetWalker } from './dataset-walker.js';
import { detectEncoding, isPlausible } from './element-header.js';
import type { Encoding } from './encoding.js';
import { EXPLICIT_LITTLE } from './encoding.js';
import type { FileHead } from './file-head.js';
import { readFileHead } from './file-head.js';
import type { Finding } from './findings.js';
import { FindingList, ScanRejection } from './findings.js';
import { checkGroupLength, checkIdentity } from './identity-rules.js';
import { InflatedSource } from './inflated-source.js';
import type { ScanLimits } from './limits.js';
import { DEFAULT_SCAN_LIMITS } from './limits.js';
import { checkPixelData } from './pixel-rules.js';
import { ReadWindow } from './read-window.js';
import { ScanClock } from './scan-clock.js';
import type { ByteSource } from './source.js';
import { MeteredSource } from './source.js';
import { TAG } from './tags.js';
import type { TransferSyntax } from './transfer-syntax.js';
import { describeTransferSyntax, transferSyntaxOf } from './transfer-syntax.js';

/** `invalid`: there is a `reject` finding. `repairable`: else there is a `repair` finding. */
export type ScanVerdict = 'valid' | 'repairable' | 'invalid';

/** What the File Meta Information says (PS3.10 §7.1); what it lacks is left out. */
export interface FileMeta {
  hasPreamble: boolean;
  mediaStorageSopClassUid?: string;
  mediaStorageSopInstanceUid?: string;
  transferSyntaxUid?: string;
  implementationClassUid?: string;
  implementationVersionName?: string;
  sourceApplicationEntityTitle?: string;
  /** Offset of the data set in the file, in bytes. */
  datasetOffset: number;
}

export interface DicomScan {
  verdict: ScanVerdict;
  /** The bytes are DICOM, however broken. */
  isDicom: boolean;
  /** At least one finding asks for an edit, so the bytes must not be delivered as they are. */
  needsRewrite: boolean;
  findings: Finding[];
  /**
   * The transfer syntax the data set is really in: named by the file meta, or worked out from the bytes;
   * `undefined` for a file that is not DICOM, and for compressed pixel data of which nothing says how.
   */
  transferSyntaxUid: string | undefined;
  /** How the elements of the data set are written, by whatever name; absent for a file that is not DICOM. */
  encoding?: Encoding;
  meta: FileMeta | undefined;
  /** Defined Terms of Specific Character Set, as they stand in the file. */
  characterSets: string[];
  attributes: StudyAttributes;
  pixelData?: PixelDataPlace;
  /** What the scan cost. */
  cost: { reads: number; bytesRead: number; elements: number; depth: number };
}

const WANTED_TAGS: ReadonlySet<number> = new Set([...ATTRIBUTE_TAGS, TAG.pixelGroupLength]);

interface ScanState {
  source: MeteredSource;
  limits: ScanLimits;
  clock: ScanClock;
  findings: FindingList;
  head?: FileHead | undefined;
  syntax?: TransferSyntax;
  walker?: DatasetWalker;
}

/**
 * Scans a file that may be anything: says whether it is DICOM that an archive will take, what is wrong with it, and
 * what it is about. Time, memory, depth and the number of bytes read are bounded by `limits`; pixel data is never
 * read into memory; content of any sort leads to findings, never to an exception.
 *
 * @throws what `source.read` rejects with, and Error when the source returns too few bytes: the storage's faults
 */
export async function scanDicom(source: ByteSource, limits: Partial<ScanLimits> = {}): Promise<DicomScan> {
  const metered = new MeteredSource(source);
  const allLimits = { ...DEFAULT_SCAN_LIMITS, ...limits };
  const clock = new ScanClock(allLimits.deadlineMs, metered);
  const state: ScanState = { source: metered, limits: allLimits, clock, findings: new FindingList() };
  try {
    await readStructure(state);
  } catch (error) {
    if (!(error instanceof ScanRejection)) throw error;
    state.findings.add(error.code, error.place);
  }
  return conclude(state);
}

async function readStructure(state: ScanState): Promise<void> {
  const { source, limits, clock, findings } = state;
  if (source.size === 0) throw new ScanRejection('EMPTY_FILE');
  const fileWindow = new ReadWindow(source, limits.windowBytes, limits.maxHeaderBytes);
  state.head = await readFileHead({ window: fileWindow, findings, limits, clock });
  if (state.head === undefined) throw new ScanRejection('NOT_DICOM');
  if (!fileWindow.has(state.head.datasetOffset, 12)) await fileWindow.load(state.head.datasetOffset, 12);
  state.syntax = chooseSyntax(state.head, fileWindow, findings);

  let window = fileWindow;
  let start = state.head.datasetOffset;
  if (state.syntax.deflated) {
    const inflated = await InflatedSource.open(source, start, limits, clock);
    window = new ReadWindow(inflated, limits.windowBytes, limits.maxHeaderBytes);
    start = 0;
  }
  state.walker = new DatasetWalker({
    window,
    start,
    encoding: state.syntax.encoding,
    wanted: WANTED_TAGS,
    findings,
    limits,
    clock,
  });
  await state.walker.walk();
}

/** The syntax named by the file meta, unless it is missing or the bytes plainly contradict it. */
function chooseSyntax(head: FileHead, window: ReadWindow, findings: FindingList): TransferSyntax {
  if (head.bareEncoding !== undefined) return describeTransferSyntax(transferSyntaxOf(head.bareEncoding));
  const place = { tag: TAG.transferSyntaxUid };
  const [uid = ''] = plainValues(head.meta.get(TAG.transferSyntaxUid));
  const { datasetOffset } = head;
  const detected = window.size === datasetOffset ? EXPLICIT_LITTLE : detectEncoding(window, datasetOffset);
  const named = uid === '' ? undefined : describeTransferSyntax(uid);
  if (named === undefined) {
    findings.add('META_TRANSFER_SYNTAX_MISSING', place);
  } else {
    if (named.encapsulated === undefined) findings.add('UNKNOWN_TRANSFER_SYNTAX', place);
    if (named.deflated || isPlausible(window, datasetOffset, window.size, named.encoding)) return named;
  }
  // Without a syntax to go by, a reader would have to guess as well, and might guess otherwise.
  if (detected === undefined) {
    if (named?.encapsulated !== undefined) return named;
    throw new ScanRejection('MALFORMED_STRUCTURE', { offset: datasetOffset });
  }
  if (named !== undefined) findings.add('TRANSFER_SYNTAX_MISMATCH', place);
  return describeTransferSyntax(transferSyntaxOf(detected));
}

function conclude(state: ScanState): DicomScan {
  const { findings, head, syntax, walker, source } = state;
  const complete = walker?.complete ?? false;
  const { attributes, characterSets } = readAttributes(walker?.values ?? new Map(), complete, findings);
  if (head !== undefined && syntax !== undefined && walker !== undefined) {
    checkGroupLength(head, walker, syntax, findings);
    checkIdentity(head, walker, attributes, findings);
    if (complete) checkPixelData(walker, attributes, syntax, findings);
  }
  const tiers = new Set(findings.all.map((finding) => finding.tier));
  return {
    verdict: tiers.has('reject') ? 'invalid' : tiers.has('repair') ? 'repairable' : 'valid',
    isDicom: head !== undefined,
    needsRewrite: findings.all.some((finding) => finding.needsRewrite),
    findings: findings.all,
    transferSyntaxUid: compressionUnknown(state) ? undefined : syntax?.uid,
    ...(syntax === undefined ? {} : { encoding: syntax.encoding }),
    meta: head && describeMeta(head),
    characterSets,
    attributes,
    ...(walker?.pixelData === undefined ? {} : { pixelData: walker.pixelData }),
    cost: {
      reads: source.reads,
      bytesRead: source.bytesRead,
      elements: walker?.elements ?? 0,
      depth: walker?.depth ?? 0,
    },
  };
}

function compressionUnknown({ head, walker }: ScanState): boolean {
  return walker?.pixelData?.encapsulated === true && head?.meta.has(TAG.transferSyntaxUid) !== true;
}

function describeMeta(head: FileHead): FileMeta {
  const meta: FileMeta = { hasPreamble: head.hasPreamble, datasetOffset: head.datasetOffset };
  for (const [name, tag] of META_ATTRIBUTES) {
    const [value = ''] = plainValues(head.meta.get(tag));
    if (value !== '') meta[name] = value;
  }
  return meta;
}

const META_ATTRIBUTES = [
  ['mediaStorageSopClassUid', TAG.mediaStorageSopClassUid],
  ['mediaStorageSopInstanceUid', TAG.mediaStorageSopInstanceUid],
  ['transferSyntaxUid', TAG.transferSyntaxUid],
  ['implementationClassUid', TAG.implementationClassUid],
  ['implementationVersionName', TAG.implementationVersionName],
  ['sourceApplicationEntityTitle', TAG.sourceApplicationEntityTitle],
] as const;
