import { crc32 } from 'node:zlib';
import { concatBytes } from '@relaypacs/core/dicom/encode.js';
import { damagedImage } from './image-problems.js';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Encoders write pieces of 4 KiB and more. */
const MAX_CHUNKS = 100_000;

/** Colour types (PNG §11.2.1) and the bits a sample may have with each. */
export const COLOUR = { grey: 0, rgb: 2, palette: 3, greyAlpha: 4, rgbAlpha: 6 } as const;

const DEPTHS: Partial<Record<number, readonly number[]>> = {
  [COLOUR.grey]: [1, 2, 4, 8, 16],
  [COLOUR.rgb]: [8, 16],
  [COLOUR.palette]: [1, 2, 4, 8],
  [COLOUR.greyAlpha]: [8, 16],
  [COLOUR.rgbAlpha]: [8, 16],
};

/** The chunks of a PNG that its pixels depend on. */
export interface PngChunks {
  rows: number;
  columns: number;
  /** Bits of a sample. */
  depth: number;
  colourType: number;
  interlaced: boolean;
  header: Uint8Array;
  palette?: Uint8Array;
  transparency?: Uint8Array;
  /** Compressed, all pieces joined. */
  data: Uint8Array;
  /** A TIFF block (PNG §11.3.4.5). */
  exif?: Uint8Array;
}

/**
 * Reads the chunks of a PNG file (PNG §5) up to its end; nothing is decompressed.
 *
 * @throws ImageProblem `IMAGE_DAMAGED` for a file that is no PNG, has been cut or changed
 */
export function readPngChunks(bytes: Uint8Array): PngChunks {
  const chunks = readChunks(bytes);
  const header = chunks[0]?.type === 'IHDR' ? chunks[0].content : undefined;
  const of = (type: string) => chunks.find((chunk) => chunk.type === type)?.content;
  if (header?.length !== 13) throw damagedImage();
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const depth = view.getUint8(8);
  const colourType = view.getUint8(9);
  const methods = [view.getUint8(10), view.getUint8(11)];
  const interlace = view.getUint8(12);
  if (!DEPTHS[colourType]?.includes(depth) || methods.some(Boolean) || interlace > 1) throw damagedImage();
  const palette = of('PLTE');
  if (colourType === COLOUR.palette && !isPalette(palette)) throw damagedImage();
  const transparency = of('tRNS');
  const exif = of('eXIf');
  return {
    columns: view.getUint32(0),
    rows: view.getUint32(4),
    depth,
    colourType,
    interlaced: interlace === 1,
    header,
    data: concatBytes(chunks.filter(({ type }) => type === 'IDAT').map(({ content }) => content)),
    ...(palette && colourType === COLOUR.palette && { palette }),
    ...(transparency && { transparency }),
    ...(exif && { exif }),
  };
}

const isPalette = (palette: Uint8Array | undefined) =>
  palette !== undefined && palette.length > 0 && palette.length <= 768 && palette.length % 3 === 0;

interface Chunk {
  type: string;
  content: Uint8Array;
}

function readChunks(bytes: Uint8Array): Chunk[] {
  if (!SIGNATURE.every((byte, index) => bytes[index] === byte)) throw damagedImage();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  let offset = SIGNATURE.length;
  while (chunks.length < MAX_CHUNKS && offset + 12 <= bytes.length) {
    const end = offset + 8 + view.getUint32(offset);
    if (end + 4 > bytes.length) throw damagedImage();
    const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8));
    const needed = /^(IHDR|PLTE|IDAT|IEND|tRNS|eXIf)$/.test(type);
    if (needed && crc32(bytes.subarray(offset + 4, end)) !== view.getUint32(end)) throw damagedImage();
    if (type === 'IEND') return chunks;
    if (needed) chunks.push({ type, content: bytes.subarray(offset + 8, end) });
    offset = end + 4;
  }
  throw damagedImage();
}

/** A PNG of these chunks alone. */
export function writePng(chunks: readonly (readonly [type: string, content: Uint8Array])[]): Uint8Array {
  const parts = chunks.flatMap(([type, content]) => {
    const name = new TextEncoder().encode(type);
    return [bigEndian(content.length), name, content, bigEndian(crc32(content, crc32(name)))];
  });
  return concatBytes([SIGNATURE, ...parts]);
}

function bigEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
