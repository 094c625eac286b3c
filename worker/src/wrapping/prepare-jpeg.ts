import { EXPLICIT_VR_LITTLE_ENDIAN, JPEG_BASELINE } from '@relaypacs/core/dicom/transfer-syntax.js';
import jpeg from 'jpeg-js';
import { damagedImage, tooLargeImage, unsupportedImage } from './image-problems.js';
import { checkSize } from './image-size.js';
import type { JpegStructure } from './jpeg-markers.js';
import { readJpegMarkers } from './jpeg-markers.js';
import type { LossyStep, PreparedImage } from './prepared-image.js';
import { MAX_REWRITTEN_PIXELS } from './prepared-image.js';
import { stripJpeg } from './strip-jpeg.js';
import type { PixelGrid } from './turn-upright.js';
import { turnUpright } from './turn-upright.js';

/** Transfer syntaxes of PS3.5 §8.2.1. */
const JPEG_EXTENDED = '1.2.840.10008.1.2.4.51';
const JPEG_LOSSLESS = '1.2.840.10008.1.2.4.57';
const JPEG_LOSSLESS_FIRST_ORDER = '1.2.840.10008.1.2.4.70';

const QUALITY = 95;
const DECODER_MEMORY_MB = 1024;

/**
 * A JPEG as DICOM can hold it: unchanged but for its metadata where a transfer syntax exists and it stands upright,
 * else decoded and compressed again.
 *
 * @throws ImageProblem
 */
export function prepareJpeg(bytes: Uint8Array): PreparedImage {
  const structure = readJpegMarkers(bytes);
  const { frame, exif } = structure;
  checkSize(frame);
  // No camera writes more than 8 bits, and VL Photographic Image cannot hold them (PS3.3 §C.8.12.1).
  const camera = exif.camera && frame.precision === 8;
  const origin = {
    origin: camera ? 'camera' : 'screen',
    ...(exif.takenAt && { takenAt: exif.takenAt }),
  } as const;
  const stripped = stripJpeg(bytes, structure);
  const prepared = unchanged(stripped, structure) ?? rewritten(stripped, structure);
  return { ...prepared, ...origin };
}

type JpegPixels = Omit<PreparedImage, 'origin' | 'takenAt'>;

/** The coded data as it is, when DICOM has a transfer syntax for its process. */
function unchanged(pixels: Uint8Array, structure: JpegStructure): JpegPixels | undefined {
  const { frame, exif } = structure;
  const { process, precision, rows, columns, components } = frame;
  const samplesPerPixel = components.length;
  if (samplesPerPixel !== 1 && samplesPerPixel !== 3) return undefined;
  if (exif.orientation !== 1) return undefined;
  const transferSyntaxUid = transferSyntaxOf(structure);
  if (!transferSyntaxUid) return undefined;
  return {
    transferSyntaxUid,
    encapsulated: true,
    pixels,
    rows,
    columns,
    samplesPerPixel,
    photometricInterpretation: photometricInterpretationOf(structure),
    bitsAllocated: precision > 8 ? 16 : 8,
    bitsStored: precision,
    ...(samplesPerPixel === 3 && { planarConfiguration: 0 }),
    lossy: process === 'lossless' ? [] : [lossyStep(structure, pixels)],
  };
}

function transferSyntaxOf({ frame, jfif, adobeTransform, predictor, pointTransform }: JpegStructure) {
  const { process, precision, components } = frame;
  const colour = components.length > 1;
  if (process === 'baseline' && precision === 8) return JPEG_BASELINE;
  if (process === 'extended' && (precision === 8 || (precision === 12 && !colour))) return JPEG_EXTENDED;
  if (process !== 'lossless' || pointTransform !== 0 || precision < 2 || precision > 16) return undefined;
  if (colour && (precision !== 8 || jfif || adobeTransform === 1)) return undefined;
  return predictor === 1 ? JPEG_LOSSLESS_FIRST_ORDER : JPEG_LOSSLESS;
}

/**
 * PS3.5 §8.2.1: YBR_FULL_422 for JPEG's YCbCr, however its chroma is sampled. What the three components are is judged
 * as libjpeg does: JFIF means YCbCr, then Adobe's block counts, then components that are called R, G, B.
 */
function photometricInterpretationOf(structure: JpegStructure): PreparedImage['photometricInterpretation'] {
  if (structure.frame.components.length === 1) return 'MONOCHROME2';
  return isRgb(structure) ? 'RGB' : 'YBR_FULL_422';
}

function isRgb({ frame, jfif, adobeTransform }: JpegStructure): boolean {
  if (frame.process === 'lossless') return true;
  if (jfif) return false;
  if (adobeTransform !== undefined) return adobeTransform === 0;
  return String.fromCharCode(...frame.components.map(({ id }) => id)) === 'RGB';
}

/** Decoded, turned upright and compressed anew; grey is left native, which loses nothing more. */
function rewritten(stripped: Uint8Array, structure: JpegStructure): JpegPixels {
  const { frame, exif } = structure;
  checkDecodable(structure);
  if (frame.rows * frame.columns > MAX_REWRITTEN_PIXELS) {
    throw tooLargeImage(`the ${MAX_REWRITTEN_PIXELS / 1_000_000} megapixels a picture of its kind may have`);
  }
  const grid = turnUpright(decode(stripped, structure), exif.orientation);
  const firstStep = lossyStep(structure, stripped);
  const turned = exif.orientation === 1 ? '' : 'Turned upright as its EXIF orientation says';
  if (frame.components.length === 1) {
    return {
      ...sizeOf(grid),
      transferSyntaxUid: EXPLICIT_VR_LITTLE_ENDIAN,
      encapsulated: false,
      pixels: everyFourth(grid.values),
      samplesPerPixel: 1,
      photometricInterpretation: 'MONOCHROME2',
      lossy: [firstStep],
      ...(turned && { derivation: turned }),
    };
  }
  const { data } = jpeg.encode({ data: grid.values, width: grid.columns, height: grid.rows }, QUALITY);
  return {
    ...sizeOf(grid),
    transferSyntaxUid: JPEG_BASELINE,
    encapsulated: true,
    pixels: data,
    samplesPerPixel: 3,
    photometricInterpretation: 'YBR_FULL_422',
    planarConfiguration: 0,
    lossy: [firstStep, { ratio: ratioOf(grid.rows * grid.columns * 3, data), method: 'ISO_10918_1' }],
    derivation: [turned, `JPEG compressed again with quality ${QUALITY}`].filter(Boolean).join('; '),
  };
}

const sizeOf = ({ rows, columns }: PixelGrid<Uint8Array>) =>
  ({ rows, columns, bitsAllocated: 8, bitsStored: 8 }) as const;

function checkDecodable({ frame, adobeTransform }: JpegStructure): void {
  const { process, precision, components } = frame;
  if (process === 'arithmetic') throw unsupportedImage('A JPEG with arithmetic coding');
  if (process === 'hierarchical') throw unsupportedImage('A hierarchical JPEG');
  if (process === 'lossless') throw unsupportedImage('A lossless JPEG of this kind');
  if (precision !== 8) throw unsupportedImage(`A JPEG of ${precision} bits of this kind`);
  // Without Adobe's block nobody can tell whether four components are inverted.
  if (components.length === 4 && adobeTransform !== undefined) return;
  if (components.length !== 1 && components.length !== 3) {
    throw unsupportedImage(`A JPEG with ${components.length} colour components`);
  }
}

/** RGBA, whatever the colours of the file. */
function decode(stripped: Uint8Array, structure: JpegStructure): PixelGrid<Uint8Array> {
  try {
    const { data, width, height } = jpeg.decode(stripped, {
      useTArray: true,
      tolerantDecoding: false,
      maxMemoryUsageInMB: DECODER_MEMORY_MB,
      ...(structure.frame.components.length === 3 && { colorTransform: !isRgb(structure) }),
    });
    return { values: data, rows: height, columns: width, samples: 4 };
  } catch {
    throw damagedImage();
  }
}

function everyFourth(rgba: Uint8Array): Uint8Array {
  const grey = new Uint8Array(rgba.length / 4);
  for (let index = 0; index < grey.length; index += 1) grey[index] = rgba[4 * index] ?? 0;
  return grey;
}

function lossyStep({ frame }: JpegStructure, compressed: Uint8Array): LossyStep {
  const { rows, columns, precision, components } = frame;
  const bytes = rows * columns * components.length * (precision > 8 ? 2 : 1);
  return { ratio: ratioOf(bytes, compressed), method: 'ISO_10918_1' };
}

const ratioOf = (bytes: number, compressed: Uint8Array) => bytes / compressed.length;
