import { endianness } from 'node:os';
import { deflateSync, inflateSync } from 'node:zlib';
import { EXPLICIT_VR_LITTLE_ENDIAN } from '@relaypacs/core/dicom/transfer-syntax.js';
import { decode } from 'fast-png';
import { NO_EXIF, readExif } from './exif.js';
import { damagedImage, tooLargeImage, unsupportedImage } from './image-problems.js';
import { checkSize } from './image-size.js';
import type { PngChunks } from './png-chunks.js';
import { COLOUR, readPngChunks, writePng } from './png-chunks.js';
import type { PreparedImage } from './prepared-image.js';
import { MAX_UNPACKED_BYTES } from './prepared-image.js';
import type { PixelGrid } from './turn-upright.js';
import { turnUpright } from './turn-upright.js';

type Samples = Uint8Array | Uint16Array;

/**
 * A PNG as native pixels: grey of 8 or 16 bits, or RGB of 8, without transparency and upright.
 *
 * @throws ImageProblem
 */
export function preparePng(bytes: Uint8Array): PreparedImage {
  const png = readPngChunks(bytes);
  checkSize(png);
  if (png.interlaced && png.depth < 8) throw unsupportedImage('An interlaced PNG of fewer than 8 bits');
  const { orientation } = png.exif ? readExif(png.exif) : NO_EXIF;
  const grid = turnUpright(onWhite(png, decodeSamples(png)), orientation);
  const bits = grid.values instanceof Uint16Array ? 16 : 8;
  const colour = grid.samples === 3;
  return {
    transferSyntaxUid: EXPLICIT_VR_LITTLE_ENDIAN,
    encapsulated: false,
    pixels: littleEndian(grid.values),
    rows: grid.rows,
    columns: grid.columns,
    samplesPerPixel: colour ? 3 : 1,
    photometricInterpretation: colour ? 'RGB' : 'MONOCHROME2',
    bitsAllocated: bits,
    bitsStored: bits,
    ...(colour && { planarConfiguration: 0 }),
    lossy: [],
    ...(orientation !== 1 && { derivation: 'Turned upright as its EXIF orientation says' }),
    origin: 'screen',
  };
}

const CHANNELS: Partial<Record<number, number>> = {
  [COLOUR.rgb]: 3,
  [COLOUR.greyAlpha]: 2,
  [COLOUR.rgbAlpha]: 4,
};
const channelsOf = ({ colourType }: PngChunks) => CHANNELS[colourType] ?? 1;

/** Samples as they are stored, one in each place: those of 1, 2 and 4 bits are unpacked. */
function decodeSamples(png: PngChunks): Samples {
  const length = filteredLength(png);
  // A palette makes three bytes of every one, or of every bit.
  const unpacked = png.colourType === COLOUR.palette ? png.columns * png.rows * 3 : length;
  if (unpacked > MAX_UNPACKED_BYTES)
    throw tooLargeImage(`${MAX_UNPACKED_BYTES / 1024 / 1024} MB when it is unpacked`);
  const filtered = inflate(png.data, length);
  // The decoder inflates without a limit, and profiles and texts as well: it gets the pixels only, inflated already.
  const plain = writePng([
    ['IHDR', png.header],
    ...(png.palette ? [['PLTE', png.palette] as const] : []),
    ['IDAT', deflateSync(filtered, { level: 0 })],
    ['IEND', new Uint8Array(0)],
  ]);
  const values = decodePlain(plain);
  return png.depth < 8 ? unpack(values, png) : values;
}

function decodePlain(plain: Uint8Array): Samples {
  try {
    const { data } = decode(plain);
    return data instanceof Uint16Array ? data : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  } catch {
    throw damagedImage();
  }
}

function inflate(data: Uint8Array, length: number): Uint8Array {
  const filtered = inflateWithin(data, length);
  if (filtered.length !== length) throw damagedImage();
  return filtered;
}

function inflateWithin(data: Uint8Array, maxOutputLength: number): Uint8Array {
  try {
    return inflateSync(data, { maxOutputLength });
  } catch {
    throw damagedImage();
  }
}

/** Adam7 (PNG §8.2): first column and row of each pass, and its steps. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Bytes the image data inflates to: each row of each pass has one byte more, for its filter (PNG §7.2). */
function filteredLength(png: PngChunks): number {
  const bits = png.depth * channelsOf(png);
  const passLength = (columns: number, rows: number) =>
    columns > 0 && rows > 0 ? rows * (1 + Math.ceil((columns * bits) / 8)) : 0;
  if (!png.interlaced) return passLength(png.columns, png.rows);
  return PASSES.reduce((sum, [left, top, across, down]) => {
    return sum + passLength(Math.ceil((png.columns - left) / across), Math.ceil((png.rows - top) / down));
  }, 0);
}

/** Rows begin at a byte; the first pixel is in the high bits (PNG §7.2). */
function unpack(packed: Samples, { rows, columns, depth }: PngChunks): Uint8Array {
  const values = new Uint8Array(rows * columns);
  const rowLength = Math.ceil((columns * depth) / 8);
  const mask = (1 << depth) - 1;
  let to = 0;
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const bit = column * depth;
      const byte = packed[row * rowLength + (bit >> 3)] ?? 0;
      values[to] = (byte >> (8 - depth - (bit & 7))) & mask;
      to += 1;
    }
  }
  return values;
}

/** Grey or RGB on a white ground: DICOM has no transparency. */
function onWhite(png: PngChunks, stored: Samples): PixelGrid<Samples> {
  const { rows, columns } = png;
  const size = { rows, columns };
  switch (png.colourType) {
    case COLOUR.palette:
      return { ...size, samples: 3, values: throughPalette(png, stored) };
    case COLOUR.grey:
      return { ...size, samples: 1, values: greyOnWhite(png, stored) };
    case COLOUR.greyAlpha:
      return { ...size, samples: 1, values: flatten(stored, 1) };
    case COLOUR.rgbAlpha:
      return { ...size, samples: 3, values: to8Bit(flatten(stored, 3)) };
    default:
      return { ...size, samples: 3, values: to8Bit(withWhiteFor(transparentValues(png), stored)) };
  }
}

function throughPalette(
  { palette = new Uint8Array(0), transparency }: PngChunks,
  indexes: Samples,
): Uint8Array {
  const opaque = flatten(withAlpha(palette, transparency), 3);
  const rgb = new Uint8Array(3 * indexes.length);
  for (let pixel = 0; pixel < indexes.length; pixel += 1) {
    const from = 3 * (indexes[pixel] ?? 0);
    if (from >= opaque.length) throw damagedImage();
    for (let sample = 0; sample < 3; sample += 1) rgb[3 * pixel + sample] = opaque[from + sample] ?? 0;
  }
  return rgb;
}

/** The palette's colours with their alphas; those beyond the list are opaque (PNG §11.3.1.1). */
function withAlpha(palette: Uint8Array, alphas: Uint8Array = new Uint8Array(0)): Uint8Array {
  const colours = palette.length / 3;
  const rgba = new Uint8Array(4 * colours);
  for (let colour = 0; colour < colours; colour += 1) {
    rgba.set(palette.subarray(3 * colour, 3 * colour + 3), 4 * colour);
    rgba[4 * colour + 3] = alphas[colour] ?? 255;
  }
  return rgba;
}

function greyOnWhite(png: PngChunks, stored: Samples): Samples {
  const scale = png.depth < 8 ? 255 / ((1 << png.depth) - 1) : 1;
  const [transparent] = transparentValues(png);
  if (scale === 1 && transparent === undefined) return stored;
  const white = stored instanceof Uint16Array ? 65_535 : 255;
  return stored.map((value) => (value === transparent ? white : value * scale));
}

/** The one grey or colour that stands for transparent pixels (PNG §11.3.1.1); empty when there is none. */
function transparentValues({ transparency, colourType }: PngChunks): number[] {
  const count = colourType === COLOUR.rgb ? 3 : 1;
  if (transparency?.length !== 2 * count) return [];
  const view = new DataView(transparency.buffer, transparency.byteOffset, transparency.byteLength);
  return Array.from({ length: count }, (_, index) => view.getUint16(2 * index));
}

function withWhiteFor([red, green, blue]: number[], rgb: Samples): Samples {
  if (red === undefined) return rgb;
  const white = rgb instanceof Uint16Array ? 65_535 : 255;
  for (let at = 0; at < rgb.length; at += 3) {
    if (rgb[at] === red && rgb[at + 1] === green && rgb[at + 2] === blue) rgb.fill(white, at, at + 3);
  }
  return rgb;
}

/** Leaves the alpha, which follows `colours` samples in each pixel, laid over white. */
function flatten(values: Samples, colours: number): Samples {
  const max = values instanceof Uint16Array ? 65_535 : 255;
  const pixels = values.length / (colours + 1);
  const flat = max > 255 ? new Uint16Array(pixels * colours) : new Uint8Array(pixels * colours);
  for (let pixel = 0; pixel < pixels; pixel += 1) {
    const from = pixel * (colours + 1);
    const alpha = values[from + colours] ?? max;
    for (let sample = 0; sample < colours; sample += 1) {
      const value = values[from + sample] ?? 0;
      flat[pixel * colours + sample] = max - Math.round(((max - value) * alpha) / max);
    }
  }
  return flat;
}

/** Colour of 16 bits is of no use to those who view Secondary Capture. */
function to8Bit(values: Samples): Uint8Array {
  return values instanceof Uint16Array ? Uint8Array.from(values, (value) => Math.round(value / 257)) : values;
}

function littleEndian(values: Samples): Uint8Array {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  if (values instanceof Uint16Array && endianness() === 'BE') bytes.swap16();
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
