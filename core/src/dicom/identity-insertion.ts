import type { CapturedValue } from './captured.js';
import { DatasetWalker } from './dataset-walker.js';
import { encodeElements } from './encode.js';
import type { Encoding } from './encoding.js';
import { FindingList } from './findings.js';
import type { ScanLimits } from './limits.js';
import { ReadWindow } from './read-window.js';
import type { ScanClock } from './scan-clock.js';
import type { ByteSource } from './source.js';
import type { SourcePiece } from './source-piece.js';
import { TAG } from './tags.js';

/** The identifiers an object without any is given. */
export interface NewIdentity {
  studyInstanceUid: string;
  seriesInstanceUid: string;
  sopInstanceUid: string;
}

export interface DatasetPlace {
  source: ByteSource;
  /** Offsets of the first data element and of the end of the last one, in bytes. */
  start: number;
  end: number;
  encoding: Encoding;
}

/** Length of an element header with a 16-bit length, or in implicit VR: that of a group length, which is a UL. */
const GROUP_LENGTH_HEADER_BYTES = 8;

/**
 * The data set with the three identifiers put in at their places (PS3.5 §7.1: ascending tags), in its own encoding.
 * Group lengths that count the new elements (PS3.5 §7.2, retired) are corrected.
 *
 * @throws ScanRejection when the data set cannot be walked
 */
export async function insertIdentity(
  place: DatasetPlace,
  identity: NewIdentity,
  limits: ScanLimits,
  clock: ScanClock,
): Promise<SourcePiece[]> {
  const { source, start, end, encoding } = place;
  const elements = [
    { tag: TAG.sopInstanceUid, value: identity.sopInstanceUid },
    { tag: TAG.studyInstanceUid, value: identity.studyInstanceUid },
    { tag: TAG.seriesInstanceUid, value: identity.seriesInstanceUid },
  ].map(({ tag, value }) => ({ tag, bytes: encodeElements([{ tag, vr: 'UI', value }], encoding) }));
  const walker = new DatasetWalker({
    window: new ReadWindow(source, limits.windowBytes, limits.maxHeaderBytes),
    start,
    encoding,
    wanted: new Set([TAG.identifyingGroupLength, TAG.imageGroupLength]),
    insertions: elements.map(({ tag }) => tag),
    findings: new FindingList(),
    limits,
    clock,
  });
  await walker.walk();
  const edits: Edit[] = elements.map(({ tag, bytes }) => ({
    at: Math.min(walker.insertionPoints.get(tag) ?? end, end),
    replaced: 0,
    bytes,
  }));
  for (const tag of [TAG.identifyingGroupLength, TAG.imageGroupLength]) {
    const added = elements
      .filter((element) => element.tag >>> 16 === tag >>> 16)
      .reduce((sum, { bytes }) => sum + bytes.length, 0);
    const edit = groupLengthEdit(walker.values.get(tag), added);
    if (edit !== undefined) edits.push(edit);
  }
  return applyEdits(start, end, edits);
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
  return { at: element.offset + GROUP_LENGTH_HEADER_BYTES, replaced: 4, bytes };
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
