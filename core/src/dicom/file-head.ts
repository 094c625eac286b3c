import type { CapturedValue } from './captured.js';
import { DatasetWalker } from './dataset-walker.js';
import { detectEncoding, isPlausible } from './element-header.js';
import type { Encoding } from './encoding.js';
import { EXPLICIT_LITTLE, IMPLICIT_LITTLE } from './encoding.js';
import { FindingList } from './findings.js';
import type { ScanLimits } from './limits.js';
import type { ReadWindow } from './read-window.js';
import type { ScanClock } from './scan-clock.js';
import { TAG } from './tags.js';

const PREAMBLE_BYTES = 128;
/** `DICM` as a big endian number. */
const PREFIX = 0x4449434d;
const PREFIX_BYTES = 4;
const META_GROUP = 0x0002;

const META_TAGS: ReadonlySet<number> = new Set([
  TAG.metaGroupLength,
  TAG.mediaStorageSopClassUid,
  TAG.mediaStorageSopInstanceUid,
  TAG.transferSyntaxUid,
  TAG.implementationClassUid,
  TAG.implementationVersionName,
  TAG.sourceApplicationEntityTitle,
]);

/** First bytes of files that an operating system or a browser would run: PS3.10 §7.5 warns of them. */
const EXECUTABLE_STARTS: readonly string[] = [
  'MZ',
  '\x7fELF',
  '#!',
  '\xfe\xed\xfa\xce',
  '\xfe\xed\xfa\xcf',
  '\xce\xfa\xed\xfe',
  '\xcf\xfa\xed\xfe',
  '\xca\xfe\xba\xbe',
  'PK\x03\x04',
  '%PDF',
  '<!DOCTYPE',
  '<html',
  '<script',
  '<?',
];

/** PS3.10 §7.1 names TIFF as a good use of the preamble. */
const TIFF_STARTS: readonly string[] = ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'];

/** What stands before the data set. */
export interface FileHead {
  hasPreamble: boolean;
  meta: ReadonlyMap<number, CapturedValue>;
  /** Where the meta information ends by its own account: its group length, which may be missing or wrong. */
  metaEnd: number | undefined;
  /** Offset of the data set's first element, in bytes. */
  datasetOffset: number;
  /** The encoding of a bare data set, which has no meta information to name it. */
  bareEncoding?: Encoding;
}

interface HeadOptions {
  window: ReadWindow;
  findings: FindingList;
  limits: ScanLimits;
  clock: ScanClock;
}

/**
 * Reads preamble, prefix and File Meta Information (PS3.10 §7.1), or finds out that a file starts with one of the
 * later parts.
 *
 * @returns `undefined` for a file that is not DICOM
 * @throws ScanRejection for meta information that is damaged
 */
export async function readFileHead(options: HeadOptions): Promise<FileHead | undefined> {
  const { window, findings } = options;
  await window.load(0, PREAMBLE_BYTES + PREFIX_BYTES);
  if (hasPrefixAt(window, PREAMBLE_BYTES)) {
    judgePreamble(window, findings);
    return { hasPreamble: true, ...(await readMeta(options, PREAMBLE_BYTES + PREFIX_BYTES)) };
  }
  if (hasPrefixAt(window, 0)) {
    findings.add('PREAMBLE_CUT_OFF', { offset: 0 });
    return { hasPreamble: false, ...(await readMeta(options, PREFIX_BYTES)) };
  }
  if (startsWithMeta(window, 0) && isPlausible(window, 0, window.size, EXPLICIT_LITTLE)) {
    findings.add('NO_PREAMBLE', { offset: 0 });
    return { hasPreamble: false, ...(await readMeta(options, 0)) };
  }
  const bareEncoding = startsLikeDataset(window, 0) ? detectEncoding(window, 0) : undefined;
  if (bareEncoding === undefined) return undefined;
  findings.add('NO_PREAMBLE', { offset: 0 });
  return { hasPreamble: false, meta: new Map(), metaEnd: 0, datasetOffset: 0, bareEncoding };
}

function hasPrefixAt(window: ReadWindow, offset: number): boolean {
  return window.size >= offset + PREFIX_BYTES && window.uint32(offset, false) === PREFIX;
}

function startsWithMeta(window: ReadWindow, offset: number): boolean {
  return window.size >= offset + 8 && window.uint16(offset, true) === META_GROUP;
}

/** A bare data set begins with group 0008, in either byte order, and one of its first elements. */
function startsLikeDataset(window: ReadWindow, offset: number): boolean {
  if (window.size < offset + 8) return false;
  return [true, false].some(
    (littleEndian) =>
      window.uint16(offset, littleEndian) === 0x0008 && window.uint16(offset + 2, littleEndian) <= 0x0100,
  );
}

function judgePreamble(window: ReadWindow, findings: FindingList): void {
  const preamble = window.copy(0, PREAMBLE_BYTES);
  if (preamble.every((byte) => byte === 0)) return;
  const text = String.fromCharCode(...preamble).toLowerCase();
  const startsWith = (start: string) => text.startsWith(start.toLowerCase());
  if (EXECUTABLE_STARTS.some(startsWith)) findings.add('PREAMBLE_EXECUTABLE', { offset: 0 });
  else if (!TIFF_STARTS.some(startsWith)) findings.add('PREAMBLE_NOT_EMPTY', { offset: 0 });
}

async function readMeta(
  options: HeadOptions,
  start: number,
): Promise<Pick<FileHead, 'meta' | 'metaEnd' | 'datasetOffset'>> {
  const { window, findings } = options;
  const implicit =
    startsWithMeta(window, start) &&
    !isPlausible(window, start, window.size, EXPLICIT_LITTLE) &&
    isPlausible(window, start, window.size, IMPLICIT_LITTLE);
  if (implicit) findings.add('META_IMPLICIT_VR', { offset: start });
  const faults = new FindingList();
  const walker = new DatasetWalker({
    ...options,
    findings: faults,
    start,
    encoding: implicit ? IMPLICIT_LITTLE : EXPLICIT_LITTLE,
    wanted: META_TAGS,
    onlyGroup: META_GROUP,
  });
  await walker.walk();
  // Orthanc 1.10.1 answers such a file with 200 and stores nothing. What else the walk found does no harm here.
  const damage = faults.all.find(({ code }) => code === 'UNKNOWN_VR');
  if (damage !== undefined) findings.add('META_DAMAGED', { offset: damage.offset });
  const metaEnd = walker.values.size === 0 ? walker.position : statedEnd(walker.values);
  return { meta: walker.values, metaEnd, datasetOffset: walker.position };
}

/** Where (0002,0000) lets the meta information end: it counts the bytes behind itself (PS3.10 §7.1). */
function statedEnd(meta: FileHead['meta']): number | undefined {
  const element = meta.get(TAG.metaGroupLength);
  if (element?.bytes.length !== 4) return undefined;
  const view = new DataView(element.bytes.buffer, element.bytes.byteOffset, 4);
  const elementBytes = 12;
  return element.offset + elementBytes + view.getUint32(0, true);
}
