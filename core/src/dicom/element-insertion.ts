import type { CapturedValue } from './captured.js';
import { DatasetWalker } from './dataset-walker.js';
import { type DicomElement, encodeElements } from './encode.js';
import { type Encoding, hasLongLength } from './encoding.js';
import { FindingList } from './findings.js';
import type { ScanLimits } from './limits.js';
import { ReadWindow } from './read-window.js';
import type { ScanClock } from './scan-clock.js';
import type { ByteSource } from './source.js';
import type { SourcePiece } from './source-piece.js';

export interface DatasetPlace {
  source: ByteSource;
  /** Offsets of the first data element and of the end of the last one, in bytes. */
  start: number;
  end: number;
  encoding: Encoding;
}

/** Length of an element header with a 16-bit length, or in implicit VR: that of a group length, which is a UL. */
const SHORT_HEADER_BYTES = 8;
const LONG_HEADER_BYTES = 12;
const SPACE = 0x20;

const groupLengthOf = (tag: number) => (tag & 0xffff0000) >>> 0;

/**
 * The data set with elements put in at their places (PS3.5 §7.1: ascending tags), in its own encoding; one that is
 * there without a value is replaced. Group lengths that count them (PS3.5 §7.2, retired) are corrected.
 *
 * @param elements - of the outermost level, by ascending tag
 * @returns `undefined` when one of them is there with a value; one whose value is too long to be read, or a sequence, is
 * not seen here: a scan of the outcome finds it twice
 * @throws ScanRejection when the data set cannot be walked
 */
export async function insertElements(
  place: DatasetPlace,
  elements: readonly DicomElement[],
  limits: ScanLimits,
  clock: ScanClock,
): Promise<SourcePiece[] | undefined> {
  const { source, start, end, encoding } = place;
  const tags = elements.map(({ tag }) => tag);
  const groups = [...new Set(tags.map(groupLengthOf))];
  const walker = new DatasetWalker({
    window: new ReadWindow(source, limits.windowBytes, limits.maxHeaderBytes),
    start,
    encoding,
    wanted: new Set([...groups, ...tags]),
    insertions: tags,
    findings: new FindingList(),
    limits,
    clock,
  });
  await walker.walk();
  const edits: Edit[] = [];
  for (const element of elements) {
    const present = walker.values.get(element.tag);
    if (present && !isBlank(present)) return undefined;
    edits.push({
      at: present?.offset ?? Math.min(walker.insertionPoints.get(element.tag) ?? end, end),
      replaced: present ? elementBytes(present, encoding) : 0,
      bytes: encodeElements([element], encoding),
    });
  }
  for (const group of groups) {
    const added = edits
      .filter((_, index) => groupLengthOf(tags[index] ?? 0) === group)
      .reduce((sum, { bytes, replaced }) => sum + bytes.length - replaced, 0);
    const edit = groupLengthEdit(walker.values.get(group), added);
    if (edit !== undefined) edits.push(edit);
  }
  return applyEdits(start, end, edits);
}

/** Nothing, or padding alone (PS3.5 §6.2). */
const isBlank = ({ bytes }: CapturedValue) => bytes.every((byte) => byte === 0 || byte === SPACE);

function elementBytes({ vr, bytes }: CapturedValue, { explicitVr }: Encoding): number {
  const isLong = explicitVr && hasLongLength(vr);
  return (isLong ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES) + bytes.length;
}

interface Edit {
  at: number;
  /** Bytes of the original that are left out from there on. */
  replaced: number;
  bytes: Uint8Array;
}

function groupLengthEdit(element: CapturedValue | undefined, added: number): Edit | undefined {
  if (element?.bytes.length !== 4) return undefined;
  if (element.vr !== '' && element.vr !== 'UL') return undefined;
  const bytes = element.bytes.slice();
  const view = new DataView(bytes.buffer);
  view.setUint32(0, view.getUint32(0, element.littleEndian) + added, element.littleEndian);
  return { at: element.offset + SHORT_HEADER_BYTES, replaced: 4, bytes };
}

function applyEdits(start: number, end: number, edits: readonly Edit[]): SourcePiece[] {
  const pieces: SourcePiece[] = [];
  let position = start;
  // The sort keeps the order of edits at one place.
  for (const { at, replaced, bytes } of [...edits].sort((a, b) => a.at - b.at)) {
    pieces.push({ offset: position, length: at - position }, { bytes });
    position = at + replaced;
  }
  return [...pieces, { offset: position, length: end - position }];
}
