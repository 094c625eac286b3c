/** A file above this is refused unread. */
export const MAX_IMAGE_FILE_BYTES = 64 * 1024 * 1024;
/** What a picture may declare, in pixels: nothing larger is decoded. */
export const MAX_IMAGE_PIXELS = 100_000_000;
/** What telephones take; decoding a JPEG and writing it anew needs some 50 bytes of memory for each pixel. */
export const MAX_REWRITTEN_PIXELS = 25_000_000;
/** Of a PNG, which needs some seven times its unpacked size: a sheet of A4 in colour with 600 dpi has 100 MiB. */
export const MAX_UNPACKED_BYTES = 128 * 1024 * 1024;
/** Rows and Columns are of 16 bits (PS3.3 §C.7.6.3). */
export const MAX_IMAGE_EDGE = 65_535;

export type ImageKind = 'jpeg' | 'png';

/** One lossy compression a picture went through (PS3.3 §C.7.6.1.1.5). */
export interface LossyStep {
  /** Bytes before to bytes after. */
  ratio: number;
  method: 'ISO_10918_1';
}

/** The pixels of a picture and their description (PS3.3 §C.7.6.3), with nothing else that was in its file. */
export interface PreparedImage {
  transferSyntaxUid: string;
  /** Whether `pixels` is one compressed frame; native little endian samples otherwise. */
  encapsulated: boolean;
  pixels: Uint8Array;
  rows: number;
  columns: number;
  samplesPerPixel: 1 | 3;
  photometricInterpretation: 'MONOCHROME2' | 'RGB' | 'YBR_FULL_422';
  bitsAllocated: 8 | 16;
  bitsStored: number;
  /** With three samples: 0, colour by pixel. */
  planarConfiguration?: 0;
  /** In the order they happened; empty when none is known of. */
  lossy: LossyStep[];
  /** What was changed in the pixels, for Derivation Description (0008,2111); absent when nothing was. */
  derivation?: string;
  /** `screen` is everything that no camera claims: screenshots, scans, exports. */
  origin: 'camera' | 'screen';
  /** When the camera says the picture was taken, in its local time: `YYYY-MM-DDTHH:MM:SS`. */
  takenAt?: string;
}
