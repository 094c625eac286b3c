/** Photos made by code: as much of a JPEG or PNG as is looked at, and nothing that could be decoded. */

interface ExifDates {
  /** `YYYY:MM:DD HH:MM:SS` */
  original?: string;
  changed?: string;
  littleEndian?: boolean;
}

/** A JPEG of `width` × 30, with EXIF where dates are given. */
export function jpegPhoto(width = 40, dates?: ExifDates): Uint8Array {
  const exif = dates ? [segment(0xe1, [...exifData(dates)])] : [];
  const frame = segment(0xc0, [8, 0, 30, width >> 8, width & 0xff, 3]);
  return Uint8Array.from([
    0xff,
    0xd8,
    ...segment(0xe0, [0x4a, 0x46, 0x49, 0x46, 0]),
    ...exif.flat(),
    ...frame,
  ]);
}

const segment = (marker: number, data: number[]) => {
  const length = data.length + 2;
  return [0xff, marker, length >> 8, length & 0xff, ...data];
};

export function pngPhoto(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(33);
  bytes.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
  const view = new DataView(bytes.buffer);
  view.setUint32(16, width);
  view.setUint32(20, height);
  return bytes;
}

/** The first box of a HEIC file, and EXIF some way behind it. */
export function heicPhoto(dates: ExifDates): Uint8Array {
  const head = [0, 0, 0, 24, ...ascii('ftypheic'), 0, 0, 0, 0, ...ascii('mif1heic')];
  return Uint8Array.from([...head, ...new Array(500).fill(0x45), ...exifData(dates)]);
}

/** `Exif`, a TIFF header, one directory with the date of change and one with the date of taking. */
function exifData({ original, changed, littleEndian = true }: ExifDates): Uint8Array {
  const bytes = new Uint8Array(6 + 200);
  bytes.set(ascii('Exif\0\0'));
  const tiff = new DataView(bytes.buffer, 6);
  const text = (offset: number, value: string) => bytes.set(ascii(`${value}\0`), 6 + offset);
  const entry = (at: number, tag: number, type: number, count: number, value: number) => {
    tiff.setUint16(at, tag, littleEndian);
    tiff.setUint16(at + 2, type, littleEndian);
    tiff.setUint32(at + 4, count, littleEndian);
    tiff.setUint32(at + 8, value, littleEndian);
  };
  bytes.set(ascii(littleEndian ? 'II*\0' : 'MM\0*'), 6);
  tiff.setUint32(4, 8, littleEndian);
  tiff.setUint16(8, 2, littleEndian);
  entry(10, changed ? 0x0132 : 0x0100, 2, 20, 120);
  entry(22, 0x8769, 4, 1, 50);
  text(120, changed ?? '');
  tiff.setUint16(50, 1, littleEndian);
  entry(52, original ? 0x9003 : 0x9000, 2, 20, 150);
  text(150, original ?? '');
  return bytes;
}

const ascii = (text: string) => [...text].map((character) => character.charCodeAt(0));
