import type { ExifFacts } from './exif.js';
import { NO_EXIF, readExif } from './exif.js';
import { damagedImage } from './image-problems.js';

/** Markers by their second byte (ITU-T T.81 table B.1). */
export const MARKER = {
  app0: 0xe0,
  app1: 0xe1,
  app14: 0xee,
  app15: 0xef,
  comment: 0xfe,
  startOfImage: 0xd8,
  endOfImage: 0xd9,
  startOfScan: 0xda,
} as const;

/** A progressive image has some ten scans; far more segments than any encoder writes are a trap. */
const MAX_SEGMENTS = 10_000;

export type JpegProcess =
  | 'baseline'
  | 'extended'
  | 'progressive'
  | 'lossless'
  | 'hierarchical'
  | 'arithmetic';

/** Start Of Frame (T.81 §B.2.2). */
export interface JpegFrame {
  process: JpegProcess;
  /** Bits of a sample. */
  precision: number;
  rows: number;
  columns: number;
  components: { id: number; horizontal: number; vertical: number }[];
}

/** A marker with its parameters and, for a scan, the coded data behind them: bytes `start` to `end` of the file. */
export interface JpegSegment {
  marker: number;
  start: number;
  end: number;
  /** Parameters only, without marker and length. */
  parameters: Uint8Array;
}

export interface JpegStructure {
  frame: JpegFrame;
  /** Everything between start and end of the image, in order. */
  segments: JpegSegment[];
  /** Colour transform of Adobe's APP14: 0 none, 1 YCbCr, 2 YCCK. */
  adobeTransform?: number;
  jfif: boolean;
  /** Start of spectral selection of the first scan: the predictor of a lossless image (T.81 §B.2.3). */
  predictor: number;
  /** Low bits left out of a lossless image (T.81 §B.2.3, Al). */
  pointTransform: number;
  exif: ExifFacts;
}

/**
 * Reads the markers of a JPEG file up to its end of image; what lies behind that is not looked at. No coded data is
 * decoded.
 *
 * @throws ImageProblem `IMAGE_DAMAGED` for a file that is no JPEG or stops before its end
 */
export function readJpegMarkers(bytes: Uint8Array): JpegStructure {
  if (bytes[0] !== 0xff || bytes[1] !== MARKER.startOfImage) throw damagedImage();
  const segments = readSegments(bytes);
  const frames = segments.filter(({ marker }) => processOf(marker) !== undefined);
  const [frame] = frames;
  const scan = segments.find(({ marker }) => marker === MARKER.startOfScan);
  if (!frame || frames.length > 1 || !scan) throw damagedImage();
  const adobeTransform = segments.filter(isAdobe)[0]?.parameters[11];
  return {
    frame: readFrame(frame),
    segments,
    jfif: segments.some(isJfif),
    exif: readExifOf(segments),
    ...readScanHeader(scan),
    ...(adobeTransform !== undefined && { adobeTransform }),
  };
}

export const isJfif = ({ marker, parameters }: JpegSegment) =>
  marker === MARKER.app0 && startsWith(parameters, 'JFIF\0') && parameters.length >= 14;

export const isAdobe = ({ marker, parameters }: JpegSegment) =>
  marker === MARKER.app14 && startsWith(parameters, 'Adobe') && parameters.length >= 12;

function readSegments(bytes: Uint8Array): JpegSegment[] {
  const segments: JpegSegment[] = [];
  let offset = 2;
  while (segments.length < MAX_SEGMENTS) {
    const start = nextMarker(bytes, offset);
    const marker = bytes[start + 1];
    if (marker === undefined || marker === MARKER.startOfImage) throw damagedImage();
    if (marker === MARKER.endOfImage) return segments;
    const length = ((bytes[start + 2] ?? 0) << 8) | (bytes[start + 3] ?? 0);
    const behind = start + 2 + length;
    if (length < 2 || behind > bytes.length) throw damagedImage();
    const end = marker === MARKER.startOfScan ? nextMarker(bytes, behind) : behind;
    segments.push({ marker, start, end, parameters: bytes.subarray(start + 4, behind) });
    offset = end;
  }
  throw damagedImage();
}

/**
 * Where the next marker with parameters begins, or the end of the image: behind coded data with its stuffed zeros and
 * restart markers, behind fill bytes (T.81 §B.1.1.2), and behind the stray bytes that some encoders leave.
 */
function nextMarker(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1];
    if (next === undefined) break;
    const standalone = next === 0x00 || next === 0x01 || (next >= 0xd0 && next <= 0xd7) || next === 0xff;
    if (!standalone) return at;
  }
  throw damagedImage();
}

/** T.81 table B.1; C4, C8 and CC are tables and reserved, not frames. */
function processOf(marker: number): JpegProcess | undefined {
  if (marker < 0xc0 || marker > 0xcf || [0xc4, 0xc8, 0xcc].includes(marker)) return undefined;
  const huffman: Partial<Record<number, JpegProcess>> = {
    192: 'baseline',
    193: 'extended',
    194: 'progressive',
    195: 'lossless',
  };
  return huffman[marker] ?? (marker < 0xc8 ? 'hierarchical' : 'arithmetic');
}

function readFrame({ marker, parameters }: JpegSegment): JpegFrame {
  const process = processOf(marker);
  const count = parameters[5] ?? 0;
  if (!process || parameters.length !== 6 + 3 * count) throw damagedImage();
  const view = new DataView(parameters.buffer, parameters.byteOffset, parameters.byteLength);
  const components = Array.from({ length: count }, (_, index) => {
    const at = 6 + 3 * index;
    const sampling = view.getUint8(at + 1);
    return { id: view.getUint8(at), horizontal: sampling >> 4, vertical: sampling & 15 };
  });
  const inRange = (factor: number) => factor >= 1 && factor <= 4;
  if (!components.every(({ horizontal, vertical }) => inRange(horizontal) && inRange(vertical))) {
    throw damagedImage();
  }
  return {
    process,
    precision: view.getUint8(0),
    rows: view.getUint16(1),
    columns: view.getUint16(3),
    components,
  };
}

function readScanHeader({ parameters }: JpegSegment): { predictor: number; pointTransform: number } {
  const [predictor, , approximation] = parameters.subarray(1 + 2 * (parameters[0] ?? 0));
  if (predictor === undefined || approximation === undefined) throw damagedImage();
  return { predictor, pointTransform: approximation & 15 };
}

function readExifOf(segments: readonly JpegSegment[]): ExifFacts {
  const block = segments.find(
    ({ marker, parameters }) => marker === MARKER.app1 && startsWith(parameters, 'Exif\0\0'),
  );
  return block ? readExif(block.parameters.subarray(6)) : NO_EXIF;
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return [...text].every((character, index) => bytes[index] === character.charCodeAt(0));
}
