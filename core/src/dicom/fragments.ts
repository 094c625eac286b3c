import { readTag } from './element-header.js';
import { ScanRejection } from './findings.js';
import type { ScanLimits } from './limits.js';
import type { ReadWindow } from './read-window.js';
import type { ScanClock } from './scan-clock.js';
import { TAG } from './tags.js';

/** What a walk over encapsulated pixel data found. */
export interface FragmentWalk {
  /** Offset just behind the Sequence Delimitation Item. */
  end: number;
  /** Fragments without the Basic Offset Table. */
  fragments: number;
  /** Bytes in those fragments. */
  bytes: number;
}

/** Fragments up to this size (bytes) are read over in whole windows; longer ones are sought past. */
const DENSE_FRAGMENT_BYTES = 1024;
const ITEM_HEADER_BYTES = 8;

/**
 * Walks the items of encapsulated pixel data (PS3.5 §A.4) by their 8-byte headers, up to the closing Sequence
 * Delimitation Item, without reading the frames.
 *
 * @param start offset of the first item (the Basic Offset Table)
 * @param limit offset at which the surrounding data set ends
 * @throws ScanRejection `ENCAPSULATION_UNCLOSED` or `TOO_MANY_FRAGMENTS`
 */
export async function walkFragments(
  window: ReadWindow,
  start: number,
  limit: number,
  littleEndian: boolean,
  limits: ScanLimits,
  clock: ScanClock,
): Promise<FragmentWalk> {
  let position = start;
  let items = 0;
  let bytes = 0;
  let previousLength = 0;
  for (;;) {
    if (limit - position < ITEM_HEADER_BYTES) {
      throw new ScanRejection('ENCAPSULATION_UNCLOSED', { tag: TAG.pixelData, offset: position });
    }
    if (!window.has(position, ITEM_HEADER_BYTES)) {
      const dense = previousLength <= DENSE_FRAGMENT_BYTES;
      await window.loadExactly(position, dense ? limits.windowBytes : ITEM_HEADER_BYTES);
    }
    const tag = readTag(window, position, littleEndian);
    const length = window.uint32(position + 4, littleEndian);
    position += ITEM_HEADER_BYTES;
    if (tag === TAG.sequenceDelimitation) return { end: position, fragments: Math.max(0, items - 1), bytes };
    if (tag !== TAG.item || length > limit - position) {
      throw new ScanRejection('ENCAPSULATION_UNCLOSED', {
        tag: TAG.pixelData,
        offset: position - ITEM_HEADER_BYTES,
      });
    }
    if (items > 0) bytes += length;
    items += 1;
    if (items > limits.maxFragments) throw new ScanRejection('TOO_MANY_FRAGMENTS', { offset: position });
    if (items % 1024 === 0) clock.check();
    previousLength = length;
    position += length;
  }
}
