import { concatBytes } from '@relaypacs/core/dicom/encode.js';
import type { JpegSegment, JpegStructure } from './jpeg-markers.js';
import { isAdobe, isJfif, MARKER } from './jpeg-markers.js';

const START = Uint8Array.of(0xff, MARKER.startOfImage);
const END = Uint8Array.of(0xff, MARKER.endOfImage);

/**
 * The image without what was said about it: EXIF with its position and thumbnail, XMP, IPTC, comments, maker's blocks,
 * and the bytes behind its end, where phones keep a second picture or a film. Stay those two blocks that decoders need
 * for the colours, JFIF and Adobe; the coded data is not touched.
 */
export function stripJpeg(bytes: Uint8Array, { segments }: JpegStructure): Uint8Array {
  return concatBytes([START, ...segments.flatMap((segment) => keptPart(bytes, segment)), END]);
}

function keptPart(bytes: Uint8Array, segment: JpegSegment): Uint8Array[] {
  if (isJfif(segment)) return [withoutThumbnail(segment)];
  const { marker, start, end } = segment;
  const application = marker >= MARKER.app0 && marker <= MARKER.app15;
  if (marker === MARKER.comment || (application && !isAdobe(segment))) return [];
  return [bytes.subarray(start, end)];
}

/** JFIF may hold a small copy of the picture (ISO/IEC 10918-5 §6.1): a size of 0 × 0 says that it has none. */
function withoutThumbnail({ parameters }: JpegSegment): Uint8Array {
  return concatBytes([
    Uint8Array.of(0xff, MARKER.app0, 0, 16),
    parameters.subarray(0, 12),
    Uint8Array.of(0, 0),
  ]);
}
