import { describe, expect, it } from 'vitest';
import type { FindingCode } from './findings.js';
import { scanDicom } from './scan.js';
import { bytesSource } from './source.js';
import type { DicomOptions } from './testing/build.js';
import { buildDicom, makeSlice } from './testing/build.js';

const JPEG = '1.2.840.10008.1.2.4.50';
const RLE = '1.2.840.10008.1.2.5';
const H264 = '1.2.840.10008.1.2.4.102';

const scan = (bytes: Uint8Array) => scanDicom(bytesSource(bytes));
const scanBuilt = (options: DicomOptions) => scan(buildDicom(options));

async function codesOf(options: DicomOptions): Promise<FindingCode[]> {
  return (await scanBuilt(options)).findings.map((finding) => finding.code);
}

describe('pixel data', () => {
  it.each([
    ['8 bit', { bitsAllocated: 8 }],
    ['odd length, padded', { bitsAllocated: 8, rows: 3, columns: 3 }],
    [
      'odd length, not padded',
      { bitsAllocated: 8, rows: 3, columns: 3, declaredPixelLength: 9, truncateTo: -1 },
    ],
    ['1 bit', { bitsAllocated: 1, rows: 5, columns: 5, frames: 3 }],
    ['colour', { bitsAllocated: 8, samplesPerPixel: 3 }],
    ['several frames', { frames: 4 }],
  ] satisfies [string, DicomOptions][])('of the right length passes: %s', async (_name, options) => {
    expect(await codesOf(options)).toEqual([]);
  });

  it.each([
    ['one byte short', { pixels: new Uint8Array(8190) }],
    ['empty', { pixels: new Uint8Array(0) }],
    ['of one frame where two are announced', { pixels: new Uint8Array(8192), frames: 2 }],
    ['1 bit, short', { bitsAllocated: 1, rows: 100, columns: 100, pixels: new Uint8Array(1248) }],
  ] satisfies [string, DicomOptions][])('rejects what is %s', async (_name, options) => {
    const result = await scanBuilt(options);
    expect(result).toMatchObject({ verdict: 'invalid', findings: [{ code: 'PIXEL_LENGTH' }] });
  });

  it('that is empty because its writer left it out, and counted so, is missing but not lost', async () => {
    const group = { tag: 0x7fe00000, vr: 'UL', value: 12 };
    expect(await codesOf({ pixels: new Uint8Array(0), elements: [group] })).toEqual(['NO_PIXEL_DATA']);
    expect(await codesOf({ pixels: null })).toEqual(['NO_PIXEL_DATA']);
  });

  it('that is uncompressed under the name of a compressed syntax needs another name', async () => {
    const result = await scanBuilt({ transferSyntaxUid: JPEG, pixels: new Uint8Array(8192) });
    expect(result).toMatchObject({ needsRewrite: true, findings: [{ code: 'TRANSFER_SYNTAX_MISMATCH' }] });
  });

  it('that is longer than needed is a warning', async () => {
    expect(await codesOf({ pixels: new Uint8Array(8200) })).toEqual(['PIXEL_LENGTH_LONG']);
  });

  it('in YBR_FULL_422 has two bytes for a pixel (PS3.3 §C.7.6.3.1.2)', async () => {
    const options: DicomOptions = {
      bitsAllocated: 8,
      samplesPerPixel: 3,
      elements: [{ tag: 0x00280004, vr: 'CS', value: 'YBR_FULL_422' }],
    };
    expect(await codesOf({ ...options, pixels: new Uint8Array(64 * 64 * 2) })).toEqual([]);
    expect(await codesOf({ ...options, pixels: new Uint8Array(64 * 64 * 2 - 2) })).toEqual(['PIXEL_LENGTH']);
  });

  it.each([[{ rows: 0 }], [{ columns: 0 }]])('with %o is rejected', async (options) => {
    expect(await codesOf(options)).toContain('ZERO_DIMENSION');
  });

  it('that runs beyond the end of the file is rejected', async () => {
    const cut = makeSlice().length - 100;
    const result = await scanBuilt({ truncateTo: cut });
    expect(result).toMatchObject({
      verdict: 'invalid',
      findings: [{ code: 'ELEMENT_BEYOND_END', tag: '(7FE0,0010)' }],
    });
    expect(await codesOf({ declaredPixelLength: 0xfffffff0 })).toEqual(['ELEMENT_BEYOND_END']);
  });

  it('in fragments is walked to its end without being read', async () => {
    const frames = Array.from({ length: 40 }, (_, i) => new Uint8Array(100_000).fill(i));
    const bytes = buildDicom({ transferSyntaxUid: JPEG, frames: 40, fragments: frames });
    const result = await scan(bytes);
    expect(result).toMatchObject({
      verdict: 'valid',
      pixelData: { encapsulated: true, length: 'undefined', fragments: 40, fragmentBytes: 4_000_000 },
    });
    expect(result.pixelData?.end).toBe(bytes.length);
    expect(result.cost.bytesRead).toBeLessThan(150_000);
  });

  it('in fragments that are never closed, or cut off, is rejected', async () => {
    expect(await codesOf({ transferSyntaxUid: RLE, unclosed: true })).toEqual(['ENCAPSULATION_UNCLOSED']);
    const whole = buildDicom({ transferSyntaxUid: RLE });
    expect(await codesOf({ transferSyntaxUid: RLE, truncateTo: whole.length - 30 })).toEqual([
      'ENCAPSULATION_UNCLOSED',
    ]);
  });

  it('in fragments may lack frames, unless it is a video', async () => {
    const fragments = [new Uint8Array(100)];
    expect(await codesOf({ transferSyntaxUid: JPEG, frames: 2, fragments })).toEqual(['FRAMES_MISSING']);
    expect(await codesOf({ transferSyntaxUid: H264, frames: 200, fragments })).toEqual([]);
    expect(await codesOf({ transferSyntaxUid: JPEG, fragments: [] })).toEqual(['PIXEL_LENGTH']);
  });

  it('of an icon inside of a sequence is no pixel data of the image', async () => {
    const icon = {
      tag: 0x00880200,
      vr: 'SQ',
      value: {
        items: [
          [
            { tag: 0x00280010, vr: 'US', value: 4 },
            { tag: 0x7fe00010, vr: 'OB', value: { fragments: [new Uint8Array(0), new Uint8Array(64)] } },
          ],
        ],
        undefinedLength: true,
      },
    };
    const result = await scanBuilt({ transferSyntaxUid: JPEG, elements: [icon], rows: 100 });
    expect(result).toMatchObject({ findings: [], attributes: { rows: 100 }, pixelData: { fragments: 1 } });
  });
});

describe('what follows the pixel data', () => {
  it('may be Data Set Trailing Padding (PS3.5 §7.2)', async () => {
    expect(await codesOf({ elements: [{ tag: 0xfffcfffc, vr: 'OB', value: new Uint8Array(300) }] })).toEqual(
      [],
    );
  });

  it('may be zeros, but a remainder must be cut off before delivery', async () => {
    expect(await codesOf({ trailing: new Uint8Array(512) })).toEqual(['TRAILING_ZEROS']);
    const result = await scanBuilt({ trailing: new Uint8Array(3) });
    expect(result).toMatchObject({ needsRewrite: true, findings: [{ code: 'TRAILING_BYTES' }] });
  });

  it('must not be garbage', async () => {
    expect((await scanBuilt({ trailing: new Uint8Array(100).fill(0xff) })).verdict).toBe('invalid');
  });
});
