import { describe, expect, it } from 'vitest';
import { scanDicom } from './scan.js';
import { bytesSource } from './source.js';
import type { DicomElement } from './testing/build.js';
import { buildDicom } from './testing/build.js';

const IMPLICIT = '1.2.840.10008.1.2';
const scan = (elements: readonly DicomElement[], transferSyntaxUid?: string) =>
  scanDicom(
    bytesSource(buildDicom({ elements, ...(transferSyntaxUid === undefined ? {} : { transferSyntaxUid }) })),
  );

const GEOMETRY: DicomElement[] = [
  { tag: 0x00080008, vr: 'CS', value: 'ORIGINAL\\PRIMARY\\AXIAL' },
  { tag: 0x00180050, vr: 'DS', value: '2.50' },
  { tag: 0x00180086, vr: 'IS', value: '2\\3' },
  { tag: 0x00180088, vr: 'DS', value: ' 1.25 ' },
  { tag: 0x00200012, vr: 'IS', value: '7' },
  { tag: 0x00200032, vr: 'DS', value: '-120.5\\-1.5e+02\\ 7' },
  { tag: 0x00200037, vr: 'DS', value: '1\\0\\0\\0\\.8\\-0.6' },
  { tag: 0x00200100, vr: 'IS', value: '4' },
  { tag: 0x00201208, vr: 'IS', value: '120' },
  { tag: 0x00201209, vr: 'IS', value: '60' },
];

describe('where and when a slice was taken', () => {
  it.each([[undefined], [IMPLICIT], ['1.2.840.10008.1.2.2']])('is read in %s', async (syntax) => {
    const result = await scan(GEOMETRY, syntax);
    expect(result.findings).toEqual([]);
    expect(result.attributes).toMatchObject({
      imageType: ['ORIGINAL', 'PRIMARY', 'AXIAL'],
      sliceThickness: 2.5,
      echoNumbers: 2,
      spacingBetweenSlices: 1.25,
      acquisitionNumber: 7,
      imagePositionPatient: [-120.5, -150, 7],
      imageOrientationPatient: [1, 0, 0, 0, 0.8, -0.6],
      temporalPositionIdentifier: 4,
      numberOfStudyRelatedInstances: 120,
      numberOfSeriesRelatedInstances: 60,
    });
  });

  it.each([
    ['1\\2'],
    ['1\\2\\3\\4'],
    ['1\\\\3'],
    ['1\\2\\x'],
    ['1\\2\\1e999'],
    ['1\\2\\NaN'],
    ['1\\2\\Infinity'],
    ['1\\2\\0x10'],
    [`1\\2\\${'1'.repeat(5_000)}`],
    ['\\'.repeat(5_000)],
  ])('is left out with a warning when it is %j', async (value) => {
    const result = await scan([{ tag: 0x00200032, vr: 'DS', value }]);
    expect(result.attributes.imagePositionPatient).toBeUndefined();
    expect(result).toMatchObject({ verdict: 'valid', findings: [{ code: 'INVALID_VALUE' }] });
  });

  it('is left out without a word when it is empty', async () => {
    const result = await scan([
      { tag: 0x00200032, vr: 'DS', value: '' },
      { tag: 0x00080008, vr: 'CS', value: '' },
    ]);
    expect(result.findings).toEqual([]);
    expect(result.attributes).not.toHaveProperty('imagePositionPatient');
    expect(result.attributes).not.toHaveProperty('imageType');
  });

  it('keeps no more of an image type than anyone looks at', async () => {
    const result = await scan([{ tag: 0x00080008, vr: 'CS', value: 'A\\'.repeat(5_000) }]);
    expect(result.attributes.imageType).toHaveLength(16);
  });
});
