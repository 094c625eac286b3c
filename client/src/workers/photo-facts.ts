import { readExifDate } from './exif-date.js';

export type PhotoFormat = 'jpeg' | 'png';

/** What a photo says of itself; what cannot be read is left out. */
export interface PhotoFacts {
  /** Pixels, as they are stored: a photo may be shown turned by a quarter. */
  width?: number;
  height?: number;
  /** When it was taken, `YYYY-MM-DD`. */
  takenOn?: string;
}

/** Larger ones are not taken by the server. */
export const MOST_PHOTO_BYTES = 64 * 1024 * 1024;

/** Bytes from the start of a photo that are looked at: EXIF, colour profiles and previews stand before the size. */
export const PHOTO_HEAD_BYTES = 512 * 1024;

/** Reads size and date from the first bytes of a photo. Never throws, whatever the bytes are. */
export function readPhotoFacts(format: PhotoFormat, head: Uint8Array): PhotoFacts {
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  return format === 'png' ? pngFacts(view) : jpegFacts(head, view);
}

/** IHDR is the first chunk (PNG, 3rd edition, §5.6, §11.2.1). */
function pngFacts(view: DataView): PhotoFacts {
  if (view.byteLength < 24) return {};
  return sized(view.getUint32(16), view.getUint32(20));
}

const APP1 = 0xe1;
const START_OF_SCAN = 0xda;
/** SOF0 to SOF15 without DHT, JPG and DAC, which have numbers between them (ITU-T T.81 table B.1). */
const isFrameHeader = (marker: number) =>
  marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** Goes from marker segment to marker segment (ITU-T T.81 §B.1.1) up to the frame header. */
function jpegFacts(head: Uint8Array, view: DataView): PhotoFacts {
  let takenOn: string | undefined;
  let offset = 2;
  while (offset + 4 <= head.length && head[offset] === 0xff) {
    const marker = head[offset + 1] ?? 0;
    if (marker === 0xff) {
      offset += 1; // a fill byte
      continue;
    }
    if (marker === START_OF_SCAN) break;
    const length = view.getUint16(offset + 2);
    if (length < 2) break;
    if (isFrameHeader(marker) && offset + 9 <= head.length) {
      const size = sized(view.getUint16(offset + 7), view.getUint16(offset + 5));
      return { ...size, ...(takenOn === undefined ? {} : { takenOn }) };
    }
    if (marker === APP1) takenOn ??= readExifDate(head.subarray(offset + 4, offset + 2 + length));
    offset += 2 + length;
  }
  return takenOn === undefined ? {} : { takenOn };
}

const sized = (width: number, height: number): PhotoFacts =>
  width > 0 && height > 0 ? { width, height } : {};
