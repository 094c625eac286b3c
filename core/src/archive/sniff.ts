export type ContainerKind = 'zip' | 'gzip' | 'jpeg' | 'png' | 'heic';

/** Bytes of a file that `sniffContainer` needs to see. */
export const SNIFF_BYTES = 32;

const SIGNATURES: readonly (readonly [ContainerKind, readonly number[]])[] = [
  ['zip', [0x50, 0x4b, 3, 4]],
  ['zip', [0x50, 0x4b, 5, 6]], // an empty archive has nothing but its end record
  ['zip', [0x50, 0x4b, 7, 8]], // first part of a split archive (APPNOTE 8.5.3)
  ['zip', [0x50, 0x4b, 0x30, 0x30, 0x50, 0x4b, 3, 4]], // meant to be split, yet in one part (APPNOTE 8.5.4)
  ['gzip', [0x1f, 0x8b, 8]],
  ['jpeg', [0xff, 0xd8, 0xff]],
  ['png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
];

/** Brands of HEIF files with a still image or a sequence of them (ISO/IEC 23008-12 §10), and AVIF. */
const HEIF_BRANDS = new Set(['heic', 'heix', 'hevc', 'mif1', 'msf1', 'heim', 'heis', 'avif']);

/**
 * What kind of container or photo a file is, by its first bytes; `undefined` for anything else, DICOM included.
 * @param head the first `SNIFF_BYTES` bytes, or the whole of a shorter file
 */
export function sniffContainer(head: Uint8Array): ContainerKind | undefined {
  for (const [kind, signature] of SIGNATURES) {
    if (signature.every((byte, index) => head[index] === byte)) return kind;
  }
  return isHeif(head) ? 'heic' : undefined;
}

/** An `ftyp` box first (ISO/IEC 14496-12 §4.3): major brand at byte 8, compatible brands from byte 16 on. */
function isHeif(head: Uint8Array): boolean {
  if (asciiAt(head, 4) !== 'ftyp') return false;
  const boxBytes = ((head[2] ?? 0) << 8) | (head[3] ?? 0);
  const end = Math.min(boxBytes, head.length, SNIFF_BYTES);
  if (HEIF_BRANDS.has(asciiAt(head, 8))) return true;
  for (let offset = 16; offset + 4 <= end; offset += 4) {
    if (HEIF_BRANDS.has(asciiAt(head, offset))) return true;
  }
  return false;
}

function asciiAt(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}
