/** What is used of a picture's EXIF (CIPA DC-008); the block itself is never kept. */
export interface ExifFacts {
  /** 1 to 8: how the stored pixels must be turned to stand upright (CIPA DC-008 §4.6.5.1.6). */
  orientation: number;
  /** Whether a maker or model of a camera is named. */
  camera: boolean;
  /** `YYYY-MM-DDTHH:MM:SS` in the camera's local time. */
  takenAt?: string;
}

export const NO_EXIF: ExifFacts = { orientation: 1, camera: false };

const TIFF_MAGIC = 42;
const MAX_ENTRIES = 512;
const TYPE = { ascii: 2, short: 3, long: 4 } as const;
const FIELD = {
  make: 0x010f,
  model: 0x0110,
  orientation: 0x0112,
  exifDirectory: 0x8769,
  dateTimeOriginal: 0x9003,
};

/**
 * Reads a TIFF block as it lies in APP1 behind `Exif\0\0`, or in a PNG's eXIf chunk. What cannot be read counts as not
 * there: a picture with a broken EXIF is still a picture.
 */
export function readExif(tiff: Uint8Array): ExifFacts {
  const reader = openTiff(tiff);
  if (!reader) return NO_EXIF;
  const main = reader.directory(reader.long(4) ?? 0);
  const exif = reader.directory(main.get(FIELD.exifDirectory)?.number ?? 0);
  const orientation = main.get(FIELD.orientation)?.number ?? 1;
  const takenAt = toDateTime(exif.get(FIELD.dateTimeOriginal)?.text);
  return {
    orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
    camera: [FIELD.make, FIELD.model].some((field) => main.get(field)?.text),
    ...(takenAt && { takenAt }),
  };
}

interface Entry {
  number?: number | undefined;
  text?: string | undefined;
}

interface TiffReader {
  /** Undefined when it lies outside of the block. */
  long(offset: number): number | undefined;
  /** Fields by their tag; empty when there is no directory at `offset`. */
  directory(offset: number): Map<number, Entry>;
}

function openTiff(tiff: Uint8Array): TiffReader | undefined {
  if (tiff.length < 8) return undefined;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const order = view.getUint16(0);
  const little = order === 0x4949; // II
  if ((!little && order !== 0x4d4d) || view.getUint16(2, little) !== TIFF_MAGIC) return undefined;

  const short = (offset: number) => (offset + 2 <= tiff.length ? view.getUint16(offset, little) : undefined);
  const long = (offset: number) => (offset + 4 <= tiff.length ? view.getUint32(offset, little) : undefined);

  const entry = (offset: number): Entry => {
    const type = short(offset + 2);
    if (type === TYPE.short) return { number: short(offset + 8) };
    if (type === TYPE.long) return { number: long(offset + 8) };
    if (type !== TYPE.ascii) return {};
    const length = long(offset + 4) ?? 0;
    const start = length <= 4 ? offset + 8 : (long(offset + 8) ?? 0);
    const text = String.fromCharCode(...tiff.subarray(start, start + Math.min(length, 64)));
    return { text: text.replace(/\0.*$/s, '').trim() };
  };

  const directory = (offset: number) => {
    const fields = new Map<number, Entry>();
    const count = offset >= 8 ? Math.min(short(offset) ?? 0, MAX_ENTRIES) : 0;
    for (let index = 0; index < count; index += 1) {
      const at = offset + 2 + 12 * index;
      if (at + 12 > tiff.length) break;
      fields.set(view.getUint16(at, little), entry(at));
    }
    return fields;
  };
  return { long, directory };
}

/** `2026:01:05 10:15:00` as a date and time that exist; cameras without a clock write zeros or blanks. */
function toDateTime(text: string | undefined): string | undefined {
  const parts = /^(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)$/.exec(text ?? '');
  if (!parts) return undefined;
  const [, year, month, day, hours, minutes, seconds] = parts;
  const iso = `${year}-${month}-${day}T${hours}:${minutes}:${seconds}`;
  const date = new Date(`${iso}Z`);
  return Number.isNaN(date.getTime()) || date.toISOString().slice(0, 19) !== iso || year === '0000'
    ? undefined
    : iso;
}
