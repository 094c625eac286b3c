import jpeg from 'jpeg-js';
import { describe, expect, test } from 'vitest';
import { prepareJpeg } from './prepare-jpeg.js';
import type { PreparedImage } from './prepared-image.js';
import { ENCODED_JPEGS } from './testing/encoded-jpegs.js';
import {
  adobe,
  makeJpeg,
  QUARTERS,
  SECRET,
  withFrame,
  withMetadata,
  withOrientation,
  withoutJfif,
  withSegment,
} from './testing/pictures.js';

const BASELINE = '1.2.840.10008.1.2.4.50';
const NATIVE = '1.2.840.10008.1.2.1';

/** The name of the quarter in the middle of each quarter of an image: `red green` is the upper half of the original. */
function quartersOf({ pixels, rows, columns }: PreparedImage): string {
  const { data, width, height } = jpeg.decode(pixels, { useTArray: true });
  expect([height, width]).toEqual([rows, columns]);
  const names = ['red', 'green', 'blue', 'white'];
  const at = (row: number, column: number) => {
    const from = 4 * (Math.floor(row * height) * width + Math.floor(column * width));
    const distances = QUARTERS.map((colour) =>
      Math.max(...colour.map((value, index) => Math.abs(value - (data[from + index] ?? 0)))),
    );
    const nearest = Math.min(...distances);
    return nearest < 30 ? names[distances.indexOf(nearest)] : `${data.subarray(from, from + 3)}`;
  };
  return [at(0.25, 0.25), at(0.25, 0.75), at(0.75, 0.25), at(0.75, 0.75)].join(' ');
}

/** The bytes from the first quantization table on, which are all coded data and what it needs. */
const coded = (bytes: Uint8Array) =>
  Buffer.from(bytes).subarray(Buffer.from(bytes).indexOf(Buffer.of(0xff, 0xdb)));

describe('an upright baseline JPEG', () => {
  test('keeps its coded data to the byte', () => {
    const original = makeJpeg();
    const image = prepareJpeg(withMetadata(original));
    expect(coded(image.pixels)).toEqual(coded(original));
    expect(image).toMatchObject({
      transferSyntaxUid: BASELINE,
      encapsulated: true,
      rows: 16,
      columns: 24,
      samplesPerPixel: 3,
      photometricInterpretation: 'YBR_FULL_422',
      planarConfiguration: 0,
      bitsAllocated: 8,
      bitsStored: 8,
      origin: 'screen',
    });
    expect(image).not.toHaveProperty('derivation');
  });

  test('says how far it was compressed', () => {
    const image = prepareJpeg(makeJpeg());
    expect(image.lossy).toEqual([{ ratio: (24 * 16 * 3) / image.pixels.length, method: 'ISO_10918_1' }]);
  });

  test('loses its metadata, its thumbnails and what lies behind its end', () => {
    const file = withMetadata(makeJpeg(), { make: 'Phone' });
    expect(Buffer.from(file).includes(SECRET)).toBe(true);
    const { pixels } = prepareJpeg(file);
    for (const text of [SECRET, 'Exif', 'Phone', 'http', 'MPF', 'Photoshop']) {
      expect(Buffer.from(pixels).includes(text)).toBe(false);
    }
    expect([...pixels.subarray(-2)]).toEqual([0xff, 0xd9]);
    expect(Buffer.from(pixels).indexOf(Buffer.of(0xff, 0xd9))).toBe(pixels.length - 2);
  });

  test.each(['big', 'little'])('is a photograph when a camera is named in %s endian EXIF', (order) => {
    const exif = { make: 'Phone', takenAt: '2026:01:04 09:08:07', littleEndian: order === 'little' };
    const image = prepareJpeg(withMetadata(makeJpeg(), exif));
    expect(image).toMatchObject({ origin: 'camera', takenAt: '2026-01-04T09:08:07' });
  });

  test.each(['0000:00:00 00:00:00', '2026:02:30 10:00:00', '    :  :     :  :  '])(
    'has no time of taking when the camera wrote "%s"',
    (takenAt) => {
      expect(prepareJpeg(withMetadata(makeJpeg(), { takenAt }))).not.toHaveProperty('takenAt');
    },
  );

  test('of one component is grey', () => {
    const image = prepareJpeg(ENCODED_JPEGS.grey);
    expect(image).toMatchObject({ samplesPerPixel: 1, photometricInterpretation: 'MONOCHROME2' });
    expect(image).not.toHaveProperty('planarConfiguration');
  });

  test("is RGB when Adobe's block says so and JFIF does not contradict", () => {
    const rgb = withSegment(withoutJfif(makeJpeg()), 0xee, adobe(0));
    expect(prepareJpeg(rgb).photometricInterpretation).toBe('RGB');
    expect(Buffer.from(prepareJpeg(rgb).pixels).includes('Adobe')).toBe(true);
    const both = withSegment(makeJpeg(), 0xee, adobe(0));
    expect(prepareJpeg(both).photometricInterpretation).toBe('YBR_FULL_422');
  });

  test('may have fill bytes before its markers', () => {
    const original = makeJpeg();
    const filled = Buffer.concat([original.subarray(0, 2), Buffer.of(0xff, 0xff), original.subarray(2)]);
    expect(coded(prepareJpeg(filled).pixels)).toEqual(coded(original));
  });
});

describe('a JPEG that does not stand upright', () => {
  test.each([
    [2, 'green red white blue'],
    [3, 'white blue green red'],
    [4, 'blue white red green'],
    [5, 'red blue green white'],
    [6, 'blue red white green'],
    [7, 'white green blue red'],
    [8, 'green white red blue'],
  ])('of orientation %i is turned', (orientation, quarters) => {
    const image = prepareJpeg(withMetadata(makeJpeg(), { orientation }));
    expect(quartersOf(image)).toBe(quarters);
    expect([image.rows, image.columns]).toEqual(orientation < 5 ? [16, 24] : [24, 16]);
    expect(image).toMatchObject({
      transferSyntaxUid: BASELINE,
      photometricInterpretation: 'YBR_FULL_422',
      derivation: 'Turned upright as its EXIF orientation says; JPEG compressed again with quality 95',
    });
    expect(image.lossy).toHaveLength(2);
  });

  test('of orientation 1 is not', () => {
    expect(quartersOf(prepareJpeg(withMetadata(makeJpeg(), { orientation: 1 })))).toBe(
      'red green blue white',
    );
  });

  test('keeps its RGB colours', () => {
    const upright = withSegment(withoutJfif(makeJpeg()), 0xee, adobe(0));
    const { data } = jpeg.decode(upright, { useTArray: true, colorTransform: false });
    const turned = prepareJpeg(withOrientation(upright, 3));
    const back = jpeg.decode(turned.pixels, { useTArray: true }).data;
    for (const index of [0, 1, 2]) expect(back[back.length - 4 + index]).toBeCloseTo(data[index] ?? 0, -1.5);
  });

  test('and is grey is left native', () => {
    const { pixels, ...image } = prepareJpeg(withOrientation(ENCODED_JPEGS.grey, 6));
    expect(image).toMatchObject({ transferSyntaxUid: NATIVE, encapsulated: false, rows: 24, columns: 16 });
    expect(image.lossy).toHaveLength(1);
    const corners = [pixels[0], pixels[15], pixels[23 * 16], pixels[24 * 16 - 1]];
    for (const [index, grey] of [160, 20, 240, 90].entries()) expect(corners[index]).toBeCloseTo(grey, -1);
  });
});

describe('a JPEG that DICOM cannot hold as it is', () => {
  test('is written anew when it is progressive', () => {
    const image = prepareJpeg(ENCODED_JPEGS.progressive);
    expect(image).toMatchObject({
      transferSyntaxUid: BASELINE,
      photometricInterpretation: 'YBR_FULL_422',
      derivation: 'JPEG compressed again with quality 95',
    });
    expect(quartersOf(image)).toBe('red green blue white');
  });

  test('is left native when it is progressive and grey', () => {
    const image = prepareJpeg(ENCODED_JPEGS.progressiveGrey);
    expect(image).toMatchObject({ transferSyntaxUid: NATIVE, photometricInterpretation: 'MONOCHROME2' });
    expect(image.pixels[0]).toBeCloseTo(20, -1);
  });

  test('becomes YCbCr when it is CMYK', () => {
    const image = prepareJpeg(ENCODED_JPEGS.cmyk);
    expect(image).toMatchObject({ transferSyntaxUid: BASELINE, samplesPerPixel: 3 });
    expect(quartersOf(image)).toBe('red green blue white');
  });

  test.each([
    ['arithmetic coding', withFrame(makeJpeg(), { marker: 0xc9 })],
    ['hierarchical frames', withFrame(makeJpeg(), { marker: 0xc5 })],
    ['12 bits and another orientation', withOrientation(ENCODED_JPEGS.extended12Bit, 6)],
    ['12 bits and progressive', withFrame(ENCODED_JPEGS.extended12Bit, { marker: 0xc2 })],
    ['lossless coding and another orientation', withOrientation(ENCODED_JPEGS.losslessFirstOrder, 6)],
  ])('is refused with %s', (_, bytes) => {
    expect(() => prepareJpeg(bytes)).toThrow(expect.objectContaining({ code: 'IMAGE_UNSUPPORTED' }));
  });
});

test.each([
  ['extended12Bit', 12, '1.2.840.10008.1.2.4.51', 1],
  ['losslessFirstOrder', 16, '1.2.840.10008.1.2.4.70', 0],
  ['losslessPredictor6', 16, '1.2.840.10008.1.2.4.57', 0],
] as const)('%s of %i bits goes unchanged into %s', (name, bitsStored, transferSyntaxUid, lossySteps) => {
  const image = prepareJpeg(ENCODED_JPEGS[name]);
  expect(image).toMatchObject({
    transferSyntaxUid,
    bitsAllocated: 16,
    bitsStored,
    photometricInterpretation: 'MONOCHROME2',
  });
  expect(image.lossy).toHaveLength(lossySteps);
});

describe('refuses as damaged', () => {
  const original = makeJpeg();

  test.each([
    ['nothing', new Uint8Array(0)],
    ['something else', new TextEncoder().encode('GIF89a')],
    ['no rows', withFrame(original, { rows: 0 })],
    ['no columns', withFrame(original, { columns: 0 })],
    ['no frame', original.filter((_, index) => index < 20 || index > original.length - 3)],
  ])('%s', (_, bytes) => {
    expect(() => prepareJpeg(bytes)).toThrow(expect.objectContaining({ code: 'IMAGE_DAMAGED' }));
  });

  test('a file cut anywhere', () => {
    for (let length = 0; length < original.length; length += 1) {
      const cut = () => prepareJpeg(original.subarray(0, length));
      expect(cut).toThrow(expect.objectContaining({ code: 'IMAGE_DAMAGED' }));
    }
  });

  test('coded data that cannot be decoded, when it has to be', () => {
    const broken = Buffer.from(withOrientation(original, 6));
    broken.fill(0x7f, broken.length - 200, broken.length - 2);
    expect(() => prepareJpeg(broken)).toThrow(expect.objectContaining({ code: 'IMAGE_DAMAGED' }));
  });
});

test.each([
  ['more than 100 megapixels', withFrame(makeJpeg(), { rows: 60_000, columns: 60_000 })],
  ['more than 25 to be turned', withOrientation(withFrame(makeJpeg(), { rows: 5001, columns: 5000 }), 6)],
])('refuses a JPEG that declares %s before it decodes anything', (_, bytes) => {
  expect(() => prepareJpeg(bytes)).toThrow(expect.objectContaining({ code: 'IMAGE_TOO_LARGE' }));
});
