import { isoDate } from '@relaypacs/core/dicom/date-time.js';

/** `Exif` and two NULs before the TIFF structure (Exif 2.32 §4.7.2). */
const PREFIX = [0x45, 0x78, 0x69, 0x66, 0, 0];
const EXIF_IFD = 0x8769;
const DATE_TIME_ORIGINAL = 0x9003;
const DATE_TIME = 0x0132;
const ASCII = 2;
/** Entries of one directory that are looked at; real ones have a few dozen. */
const MOST_ENTRIES = 512;

/**
 * The day a photo was taken, `YYYY-MM-DD`, from EXIF data.
 *
 * @param exif - begins with the `Exif` prefix, as the payload of a JPEG's APP1 segment does
 * @returns undefined when it does not say, or says nonsense
 */
export function readExifDate(exif: Uint8Array): string | undefined {
  if (!PREFIX.every((byte, index) => exif[index] === byte)) return undefined;
  const tiff = new TiffReader(exif.subarray(PREFIX.length));
  const first = tiff.directory(tiff.uint32(4));
  const inner = first.get(EXIF_IFD);
  const taken = inner && tiff.directory(tiff.uint32(inner + 8)).get(DATE_TIME_ORIGINAL);
  return tiff.date(taken) ?? tiff.date(first.get(DATE_TIME));
}

/**
 * The same for a HEIC file: its EXIF item (ISO/IEC 23008-12 Annex A.2.1) lies somewhere in the media data, and the
 * prefix is looked for instead of following the boxes that lead to it.
 */
export function findExifDate(head: Uint8Array): string | undefined {
  for (let at = head.indexOf(0x45); at !== -1; at = head.indexOf(0x45, at + 1)) {
    const date = readExifDate(head.subarray(at));
    if (date !== undefined) return date;
  }
  return undefined;
}

/** Reads numbers of a TIFF structure (TIFF 6.0 §2); what lies outside of it reads as 0. */
class TiffReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #littleEndian: boolean;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#littleEndian = bytes[0] === 0x49;
  }

  uint16(offset: number): number {
    return offset + 2 <= this.#view.byteLength ? this.#view.getUint16(offset, this.#littleEndian) : 0;
  }

  uint32(offset: number): number {
    return offset + 4 <= this.#view.byteLength ? this.#view.getUint32(offset, this.#littleEndian) : 0;
  }

  /** Offsets of the entries of a directory by their tags. */
  directory(offset: number): ReadonlyMap<number, number> {
    const entries = new Map<number, number>();
    // The header takes the first eight bytes: no directory can lie there.
    if (offset < 8) return entries;
    const count = Math.min(this.uint16(offset), MOST_ENTRIES);
    for (let index = 0; index < count; index += 1) {
      const entry = offset + 2 + index * 12;
      if (!entries.has(this.uint16(entry))) entries.set(this.uint16(entry), entry);
    }
    return entries;
  }

  /** The day in an entry that holds `YYYY:MM:DD HH:MM:SS`. */
  date(entry: number | undefined): string | undefined {
    if (entry === undefined || this.uint16(entry + 2) !== ASCII || this.uint32(entry + 4) < 10)
      return undefined;
    const offset = this.uint32(entry + 8);
    const text = String.fromCharCode(...this.#bytes.subarray(offset, offset + 10));
    const match = /^(\d{4}):(\d{2}):(\d{2})$/.exec(text);
    // A camera whose clock was never set says 0000 or 1970, which is worse than nothing.
    if (!match || Number(match[1]) < 1990) return undefined;
    return isoDate(match.slice(1).join(''));
  }
}
