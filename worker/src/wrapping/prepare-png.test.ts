import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { preparePng } from './prepare-png.js';
import type { PngOptions } from './testing/pictures.js';
import { makeExif, makePng, makeRgbPng, QUARTERS, SECRET } from './testing/pictures.js';

const png = (options: Partial<PngOptions>) =>
  preparePng(makePng({ columns: 2, rows: 1, depth: 8, colourType: 0, lines: [], ...options }));

/** Samples of 16 bits as a PNG stores them. */
const wide = (...values: number[]) => values.flatMap((value) => [value >> 8, value & 0xff]);

test('makes native RGB', () => {
  const { pixels, ...image } = preparePng(makeRgbPng());
  expect(image).toEqual({
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    encapsulated: false,
    rows: 16,
    columns: 24,
    samplesPerPixel: 3,
    photometricInterpretation: 'RGB',
    planarConfiguration: 0,
    bitsAllocated: 8,
    bitsStored: 8,
    lossy: [],
    origin: 'screen',
  });
  expect(pixels.length).toBe(24 * 16 * 3);
  expect([...pixels.subarray(0, 3)]).toEqual(QUARTERS[0]);
  expect([...pixels.subarray(-3)]).toEqual(QUARTERS[3]);
});

test('leaves texts behind', () => {
  expect(Buffer.from(makeRgbPng()).includes(SECRET)).toBe(true);
  expect(Buffer.from(preparePng(makeRgbPng()).pixels).includes(SECRET)).toBe(false);
});

test.each([
  ['1 bit', { depth: 1, columns: 3, lines: [[0b101_00000]] }, [255, 0, 255]],
  ['2 bits', { depth: 2, columns: 5, lines: [[0b00_01_10_11, 0b10_000000]] }, [0, 85, 170, 255, 170]],
  ['4 bits', { depth: 4, columns: 3, lines: [[0x0f, 0x80]] }, [0, 255, 136]],
  ['8 bits', { lines: [[7, 200]] }, [7, 200]],
  ['8 bits, one of them transparent', { lines: [[7, 200]], transparency: [0, 7] }, [255, 200]],
  ['8 bits and alpha', { colourType: 4, lines: [[100, 255, 100, 0]] }, [100, 255]],
  ['8 bits and half an alpha', { colourType: 4, lines: [[55, 51, 0, 102]] }, [215, 153]],
])('makes grey of 8 bits from %s', (_, options, expected) => {
  const image = png(options);
  expect([...image.pixels]).toEqual(expected);
  expect(image).toMatchObject({
    samplesPerPixel: 1,
    photometricInterpretation: 'MONOCHROME2',
    bitsStored: 8,
  });
});

test.each([
  ['grey', { lines: [wide(1, 65_280)] }, [1, 65_280]],
  ['grey with a transparent value', { lines: [wide(1, 65_280)], transparency: [0, 1] }, [65_535, 65_280]],
  ['grey and alpha', { colourType: 4, lines: [wide(300, 65_535, 300, 0)] }, [300, 65_535]],
])('keeps 16 bits of %s', (_, options, expected) => {
  const image = png({ depth: 16, ...options });
  expect([...new Uint16Array(image.pixels.slice().buffer)]).toEqual(expected);
  expect(image).toMatchObject({ samplesPerPixel: 1, bitsAllocated: 16, bitsStored: 16 });
});

test.each([
  ['a palette', { colourType: 3, palette: [1, 2, 3, 4, 5, 6], lines: [[1, 0]] }, [4, 5, 6, 1, 2, 3]],
  [
    'a palette of 1 bit, partly transparent',
    { depth: 1, colourType: 3, palette: [1, 2, 3, 4, 5, 6], transparency: [0], lines: [[0b01_000000]] },
    [255, 255, 255, 4, 5, 6],
  ],
  [
    'a colour that stands for transparent',
    { colourType: 2, transparency: [0, 1, 0, 2, 0, 3], lines: [[1, 2, 3, 4, 5, 6]] },
    [255, 255, 255, 4, 5, 6],
  ],
  ['an alpha', { colourType: 6, lines: [[1, 2, 3, 255, 4, 5, 6, 0]] }, [1, 2, 3, 255, 255, 255]],
  [
    '16 bits',
    { depth: 16, colourType: 2, lines: [wide(0, 257, 65_535, 514, 771, 1028)] },
    [0, 1, 255, 2, 3, 4],
  ],
  [
    '16 bits and an alpha',
    { depth: 16, colourType: 6, lines: [wide(0, 257, 65_535, 65_535, 514, 771, 1028, 0)] },
    [0, 1, 255, 255, 255, 255],
  ],
])('makes RGB of 8 bits from %s', (_, options, expected) => {
  const image = png(options);
  expect([...image.pixels]).toEqual(expected);
  expect(image).toMatchObject({ samplesPerPixel: 3, photometricInterpretation: 'RGB', bitsAllocated: 8 });
});

test('reads an interlaced PNG', () => {
  // 3 × 3: pass 1 holds (0,0); 4 (2,0); 5 (0,2) and (2,2); 6 (1,0) and, in row 2, (1,2); 7 row 1.
  const lines = [[1], [3], [7, 9], [2], [8], [4, 5, 6]];
  const image = png({ rows: 3, columns: 3, interlaced: true, lines });
  expect([...image.pixels]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('refuses an interlaced PNG of few bits', () => {
  expect(() => png({ depth: 1, interlaced: true, lines: [[0], [0]] })).toThrow(
    expect.objectContaining({ code: 'IMAGE_UNSUPPORTED' }),
  );
});

test.each([
  [1, [1, 2, 3, 4, 5, 6]],
  [2, [3, 2, 1, 6, 5, 4]],
  [3, [6, 5, 4, 3, 2, 1]],
  [4, [4, 5, 6, 1, 2, 3]],
  [5, [1, 4, 2, 5, 3, 6]],
  [6, [4, 1, 5, 2, 6, 3]],
  [7, [6, 3, 5, 2, 4, 1]],
  [8, [3, 6, 2, 5, 1, 4]],
])('stands upright with an EXIF orientation of %i', (orientation, expected) => {
  const lines = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const image = png({ rows: 2, columns: 3, lines, exif: makeExif({ orientation }) });
  expect([...image.pixels]).toEqual(expected);
  expect([image.rows, image.columns]).toEqual(orientation < 5 ? [2, 3] : [3, 2]);
  expect('derivation' in image).toBe(orientation !== 1);
});

test.each([
  ['60 000 × 60 000 pixels', { columns: 60_000, rows: 60_000, colourType: 2 }],
  ['a side of 70 000', { columns: 70_000 }],
  ['more than 128 MiB to unpack', { columns: 8000, rows: 8000, colourType: 2 }],
])('refuses a small file that declares %s', (_, options) => {
  expect(() => png({ lines: [[1, 2, 3]], ...options })).toThrow(
    expect.objectContaining({ code: 'IMAGE_TOO_LARGE' }),
  );
});

test('stops at the declared size when the data inflates to more', () => {
  const bomb = deflateSync(new Uint8Array(64 * 1024 * 1024));
  expect(bomb.length).toBeLessThan(100_000);
  expect(() => png({ data: bomb })).toThrow(expect.objectContaining({ code: 'IMAGE_DAMAGED' }));
});

test.each([
  ['no rows', { rows: 0 }],
  ['a depth its colours cannot have', { depth: 4, colourType: 2 }],
  ['too few rows of data', { rows: 3, lines: [[1, 2]] }],
  ['data that does not inflate', { data: Uint8Array.of(1, 2, 3) }],
  ['a filter that does not exist', { data: deflateSync(Uint8Array.of(9, 1, 2)) }],
  ['no palette', { colourType: 3, lines: [[0, 0]] }],
  ['an index beyond its palette', { colourType: 3, palette: [1, 2, 3], lines: [[0, 1]] }],
])('refuses %s as damaged', (_, options) => {
  expect(() => png(options)).toThrow(expect.objectContaining({ code: 'IMAGE_DAMAGED' }));
});

test('refuses a file cut anywhere as damaged', () => {
  const original = makeRgbPng();
  for (let length = 0; length < original.length; length += 1) {
    const cut = () => preparePng(original.subarray(0, length));
    expect(cut).toThrow(expect.objectContaining({ code: 'IMAGE_DAMAGED' }));
  }
});

test('refuses a file with a changed byte in its pixels as damaged', () => {
  const changed = makeRgbPng();
  const at = Buffer.from(changed).indexOf('IDAT') + 20;
  changed[at] = (changed[at] ?? 0) ^ 1;
  expect(() => preparePng(changed)).toThrow(expect.objectContaining({ code: 'IMAGE_DAMAGED' }));
});
