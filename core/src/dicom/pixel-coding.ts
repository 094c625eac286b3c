import type { EncapsulatedPixelData } from './captured.js';
import type { ByteSource } from './source.js';
import { TAG } from './tags.js';
import { JPEG_BASELINE, RLE_LOSSLESS } from './transfer-syntax.js';

/** Bytes of a frame that are looked at: more than any header of a picture without an embedded colour profile has. */
const MAX_SNIFFED_BYTES = 64 * 1024;
/** Items that are looked through for the first one with contents. */
const MAX_ITEMS = 16;
const ITEM_HEADER_BYTES = 8;

const JPEG_EXTENDED = '1.2.840.10008.1.2.4.51';
const JPEG_PROGRESSIVE = '1.2.840.10008.1.2.4.55';
const JPEG_LOSSLESS = '1.2.840.10008.1.2.4.57';
const JPEG_LOSSLESS_FIRST_ORDER = '1.2.840.10008.1.2.4.70';
const JPEG_LS_LOSSLESS = '1.2.840.10008.1.2.4.80';
const JPEG_LS_NEAR_LOSSLESS = '1.2.840.10008.1.2.4.81';
const JPEG_2000_LOSSLESS = '1.2.840.10008.1.2.4.90';
const JPEG_2000 = '1.2.840.10008.1.2.4.91';
const HTJ2K_LOSSLESS = '1.2.840.10008.1.2.4.201';
const HTJ2K = '1.2.840.10008.1.2.4.203';

/**
 * Works out how encapsulated pixel data is compressed from the start of its first frame, where nothing says so.
 *
 * @param dataset what the offsets of `pixelData` refer to
 * @returns a Transfer Syntax UID; `undefined` for a coding that is not recognised, as with every video
 */
export async function sniffTransferSyntax(
  dataset: ByteSource,
  pixelData: EncapsulatedPixelData,
): Promise<string | undefined> {
  const frame = await firstFrame(dataset, pixelData);
  if (frame.length < 12) return undefined;
  const start = uint32(frame, 0);
  if (start >>> 8 === 0xffd8ff) return jpegSyntax(frame);
  if (start === 0xff4fff51) return jpeg2000Syntax(frame);
  return isRle(frame) ? RLE_LOSSLESS : undefined;
}

/** The start of the first item with contents behind the Basic Offset Table (PS3.5 §A.4). */
async function firstFrame(dataset: ByteSource, { offset, end }: EncapsulatedPixelData): Promise<Uint8Array> {
  let position = offset;
  for (let item = 0; item < MAX_ITEMS && position + ITEM_HEADER_BYTES <= end; item += 1) {
    const header = await dataset.read(position, ITEM_HEADER_BYTES);
    const view = new DataView(header.buffer, header.byteOffset, header.length);
    const tag = ((view.getUint16(0, true) << 16) | view.getUint16(2, true)) >>> 0;
    const length = view.getUint32(4, true);
    if (tag !== TAG.item) break;
    position += ITEM_HEADER_BYTES;
    const wanted = Math.min(length, MAX_SNIFFED_BYTES, Math.max(0, end - position));
    if (item > 0 && length > 0) return dataset.read(position, wanted);
    position += length;
  }
  return new Uint8Array(0);
}

/** Big endian, as in all JPEG codings; 0 beyond the end. */
function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function uint32(bytes: Uint8Array, at: number): number {
  return uint16(bytes, at) * 0x10000 + uint16(bytes, at + 2);
}

/** A marker segment; `at` is the offset of its length field. */
interface Segment {
  marker: number;
  at: number;
}

/** The marker segments in front of the image data (ISO/IEC 10918-1 §B.1.1.4), which JPEG-LS and JPEG 2000 share. */
function* segmentsOf(bytes: Uint8Array): Generator<Segment> {
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at += 1; // a fill byte
      continue;
    }
    yield { marker, at: at + 2 };
    at += 2 + Math.max(2, uint16(bytes, at + 2));
  }
}

function jpegSyntax(bytes: Uint8Array): string | undefined {
  let frame = 0;
  for (const { marker, at } of segmentsOf(bytes)) {
    if (marker === 0xc0) return JPEG_BASELINE;
    if (marker === 0xc1) return JPEG_EXTENDED;
    if (marker === 0xc2) return JPEG_PROGRESSIVE;
    if (marker === 0xc3 || marker === 0xf7) frame = marker;
    if (marker !== 0xda) continue;
    // Start of scan: behind its components stands the predictor of lossless JPEG, or the error JPEG-LS allows.
    const selection = bytes[at + 3 + 2 * (bytes[at + 2] ?? 0)];
    if (selection === undefined) return undefined;
    if (frame === 0xc3) return selection === 1 ? JPEG_LOSSLESS_FIRST_ORDER : JPEG_LOSSLESS;
    if (frame === 0xf7) return selection === 0 ? JPEG_LS_LOSSLESS : JPEG_LS_NEAR_LOSSLESS;
    return undefined;
  }
  return undefined;
}

/** ISO/IEC 15444-1 §A.6.1: wavelet 1 is reversible. A CAP segment that names part 15 means high throughput. */
function jpeg2000Syntax(bytes: Uint8Array): string | undefined {
  let highThroughput = false;
  for (const { marker, at } of segmentsOf(bytes)) {
    if (marker === 0x50) highThroughput = ((uint32(bytes, at + 2) >>> 17) & 1) === 1;
    if (marker !== 0x52) continue;
    const reversible = bytes[at + 11] === 1;
    if (highThroughput) return reversible ? HTJ2K_LOSSLESS : HTJ2K;
    return reversible ? JPEG_2000_LOSSLESS : JPEG_2000;
  }
  return undefined;
}

/** PS3.5 §G.5: the number of segments, 1 to 15, and 15 offsets, the first of which is 64 and the unused ones 0. */
function isRle(bytes: Uint8Array): boolean {
  if (bytes.length < 64) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, 64);
  const segments = view.getUint32(0, true);
  if (segments < 1 || segments > 15 || view.getUint32(4, true) !== 64) return false;
  let previous = 0;
  for (let index = 1; index <= 15; index += 1) {
    const offset = view.getUint32(index * 4, true);
    if (index <= segments ? offset <= previous : offset !== 0) return false;
    previous = offset;
  }
  return true;
}
