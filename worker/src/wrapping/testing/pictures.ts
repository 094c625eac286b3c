/** Pictures made by code, for tests: four quarters of different colours, so that every way of turning them shows. */
import { deflateSync } from 'node:zlib';
import { concatBytes } from '@relaypacs/core/dicom/encode.js';
import jpeg from 'jpeg-js';
import { writePng } from '../png-chunks.js';
import type { WrapContext } from '../wrap-context.js';

export type Rgb = readonly [red: number, green: number, blue: number];

/** Top left, top right, bottom left, bottom right. */
export const QUARTERS: readonly [Rgb, Rgb, Rgb, Rgb] = [
  [220, 30, 30],
  [30, 200, 30],
  [30, 30, 220],
  [240, 240, 240],
];
export const COLUMNS = 24;
export const ROWS = 16;

/** Something no object may hold; it stands in every place of `withMetadata`. */
export const SECRET = 'SECRET-PLACE-52.5200N';

export const CONTEXT: WrapContext = {
  sopInstanceUid: '2.25.1001',
  seriesInstanceUid: '2.25.1002',
  studyInstanceUid: '2.25.1003',
  seriesNumber: 9001,
  instanceNumber: 1,
  seriesDescription: 'Photos',
  patientName: 'Doe^Jane',
  patientId: 'P-1',
  patientBirthDate: '1970-01-31',
  patientSex: 'F',
  studyDate: '2026-01-05',
  studyTime: '10:15:00',
  studyId: 'S-1',
  madeAt: new Date('2026-01-05T12:00:00Z'),
};

/** The quarter a pixel lies in. */
export const quarterAt = (row: number, column: number, rows = ROWS, columns = COLUMNS) =>
  (row < rows / 2 ? 0 : 2) + (column < columns / 2 ? 0 : 1);

/** A baseline JPEG of the quarters. */
export function makeJpeg(columns = COLUMNS, rows = ROWS): Uint8Array {
  const data = new Uint8Array(4 * columns * rows);
  for (let pixel = 0; pixel < columns * rows; pixel += 1) {
    const quarter = quarterAt(Math.floor(pixel / columns), pixel % columns, rows, columns);
    data.set([...(QUARTERS[quarter] ?? []), 255], 4 * pixel);
  }
  return new Uint8Array(jpeg.encode({ data, width: columns, height: rows }, 95).data);
}

export interface ExifOptions {
  orientation?: number;
  make?: string;
  takenAt?: string;
  /** Byte order; default big endian. */
  littleEndian?: boolean;
}

/** A TIFF block with an orientation, a GPS position and what else is asked for. */
export function makeExif(options: ExifOptions = {}): Uint8Array {
  const { orientation = 1, make, takenAt, littleEndian = false } = options;
  const block = new Uint8Array(512);
  const view = new DataView(block.buffer);
  let free = 200;
  const directory = (at: number, entries: { tag: number; value: number | string }[]) => {
    view.setUint16(at, entries.length, littleEndian);
    entries.forEach(({ tag, value }, index) => {
      const entry = at + 2 + 12 * index;
      view.setUint16(entry, tag, littleEndian);
      if (typeof value === 'number') {
        const short = tag === 0x0112;
        view.setUint16(entry + 2, short ? 3 : 4, littleEndian);
        view.setUint32(entry + 4, 1, littleEndian);
        if (short) view.setUint16(entry + 8, value, littleEndian);
        else view.setUint32(entry + 8, value, littleEndian);
        return;
      }
      const text = new TextEncoder().encode(`${value}\0`);
      view.setUint16(entry + 2, 2, littleEndian);
      view.setUint32(entry + 4, text.length, littleEndian);
      view.setUint32(entry + 8, free, littleEndian);
      block.set(text, free);
      free += text.length;
    });
  };
  block.set(new TextEncoder().encode(littleEndian ? 'II' : 'MM'));
  view.setUint16(2, 42, littleEndian);
  view.setUint32(4, 8, littleEndian);
  directory(8, [
    ...(make === undefined ? [] : [{ tag: 0x010f, value: make }]),
    { tag: 0x0112, value: orientation },
    { tag: 0x8769, value: 100 },
    { tag: 0x8825, value: 150 },
  ]);
  directory(100, takenAt === undefined ? [] : [{ tag: 0x9003, value: takenAt }]);
  directory(150, [{ tag: 0x001c, value: SECRET }]);
  return block;
}

/** The JPEG with EXIF, XMP, IPTC, a comment, a JFIF thumbnail and a second file behind its end. */
export function withMetadata(image: Uint8Array, options: ExifOptions = {}): Uint8Array {
  const secret = new TextEncoder().encode(SECRET);
  const text = (value: string) => new TextEncoder().encode(value);
  const thumbnail = new Uint8Array(27);
  thumbnail.set(secret);
  return concatBytes([
    image.subarray(0, 2),
    segment(0xe0, concatBytes([text('JFIF\0'), Uint8Array.of(1, 1, 0, 0, 1, 0, 1, 3, 3), thumbnail])),
    segment(0xe1, concatBytes([text('Exif\0\0'), makeExif(options)])),
    segment(0xe1, concatBytes([text('http://ns.adobe.com/xap/1.0/\0'), secret])),
    segment(0xe2, concatBytes([text('MPF\0'), secret])),
    segment(0xed, concatBytes([text('Photoshop 3.0\0'), secret])),
    segment(0xfe, secret),
    withoutJfif(image).subarray(2),
    image,
    secret,
  ]);
}

/** Puts a segment behind the start of the image. */
export function withSegment(image: Uint8Array, marker: number, content: Uint8Array): Uint8Array {
  return concatBytes([image.subarray(0, 2), segment(marker, content), image.subarray(2)]);
}

/** Only the orientation, before all else that the file has. */
export const withOrientation = (image: Uint8Array, orientation: number) =>
  withSegment(image, 0xe1, concatBytes([new TextEncoder().encode('Exif\0\0'), makeExif({ orientation })]));

/** Without the APP0 that encoders put first. */
export function withoutJfif(image: Uint8Array): Uint8Array {
  if (image[3] !== 0xe0) return image;
  const length = ((image[4] ?? 0) << 8) | (image[5] ?? 0);
  return concatBytes([image.subarray(0, 2), image.subarray(4 + length)]);
}

/** Adobe's APP14 with a colour transform. */
export const adobe = (transform: number) =>
  concatBytes([new TextEncoder().encode('Adobe'), Uint8Array.of(0, 100, 0, 0, 0, 0, transform)]);

function segment(marker: number, content: Uint8Array): Uint8Array {
  const length = content.length + 2;
  return concatBytes([Uint8Array.of(0xff, marker, length >> 8, length & 0xff), content]);
}

/** Changes the Start Of Frame: its marker, or the size it declares. */
export function withFrame(
  image: Uint8Array,
  change: { marker?: number; rows?: number; columns?: number },
): Uint8Array {
  const at = image.findIndex((byte, i) => byte === 0xff && /^c[0-3]$/.test((image[i + 1] ?? 0).toString(16)));
  const changed = image.slice();
  const view = new DataView(changed.buffer);
  if (change.marker !== undefined) view.setUint8(at + 1, change.marker);
  if (change.rows !== undefined) view.setUint16(at + 5, change.rows);
  if (change.columns !== undefined) view.setUint16(at + 7, change.columns);
  return changed;
}

export interface PngOptions {
  columns: number;
  rows: number;
  depth: number;
  colourType: number;
  interlaced?: boolean;
  /** Packed samples of each row, or of each row of each pass. */
  lines: readonly (readonly number[])[];
  palette?: readonly number[];
  transparency?: readonly number[];
  exif?: Uint8Array;
  /** Compressed image data in place of the lines. */
  data?: Uint8Array;
}

/** A PNG of any kind, unfiltered. */
export function makePng(options: PngOptions): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, options.columns);
  view.setUint32(4, options.rows);
  header.set([options.depth, options.colourType, 0, 0, options.interlaced ? 1 : 0], 8);
  const filtered = Uint8Array.from(options.lines.flatMap((line) => [0, ...line]));
  const chunk = (type: string, content: ArrayLike<number> | undefined) =>
    content === undefined ? [] : [[type, Uint8Array.from(content)] as const];
  return writePng([
    ['IHDR', header],
    ...chunk('PLTE', options.palette),
    ...chunk('tRNS', options.transparency),
    ...chunk('eXIf', options.exif),
    ...chunk('tEXt', new TextEncoder().encode(`Comment\0${SECRET}`)),
    ['IDAT', options.data ?? deflateSync(filtered)],
    ['IEND', new Uint8Array(0)],
  ]);
}

/** The quarters as RGB of 8 bits. */
export function makeRgbPng(options: Partial<PngOptions> = {}): Uint8Array {
  const lines = Array.from({ length: ROWS }, (_, row) =>
    Array.from({ length: COLUMNS }, (_, column) => QUARTERS[quarterAt(row, column)] ?? []).flat(),
  );
  return makePng({ columns: COLUMNS, rows: ROWS, depth: 8, colourType: 2, lines, ...options });
}
