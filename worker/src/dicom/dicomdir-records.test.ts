import type { DicomElement } from '@relaypacs/core/dicom/encode.js';
import { scanDicom } from '@relaypacs/core/dicom/scan.js';
import { bytesSource } from '@relaypacs/core/dicom/source.js';
import { buildDicom } from '@relaypacs/core/dicom/testing/build.js';
import { expect, it } from 'vitest';
import { readDicomdirRecords } from './dicomdir-records.js';

const MEDIA_STORAGE_DIRECTORY = '1.2.840.10008.1.3.10';

const record = (type: string, ...more: DicomElement[]): DicomElement[] => [
  { tag: 0x00041400, vr: 'UL', value: 0 },
  { tag: 0x00041410, vr: 'US', value: 0xffff },
  { tag: 0x00041420, vr: 'UL', value: 0 },
  { tag: 0x00041430, vr: 'CS', value: type },
  ...more,
];
const image = (file: string, uid: string) =>
  record(
    'IMAGE',
    { tag: 0x00041500, vr: 'CS', value: `IMAGES\\${file}` },
    { tag: 0x00041511, vr: 'UI', value: uid },
  );

/** A DICOMDIR that lists these records. */
function buildDicomdir(items: DicomElement[][], undefinedLength = false): Uint8Array {
  return buildDicom({
    meta: { sopClassUid: MEDIA_STORAGE_DIRECTORY },
    pixels: null,
    elements: [{ tag: 0x00041220, vr: 'SQ', value: { items, undefinedLength } }],
  });
}

it('lists the files of a disc with the study and series they belong to', async () => {
  const dicomdir = buildDicomdir([
    record('PATIENT', { tag: 0x00100020, vr: 'LO', value: 'P1' }),
    record('STUDY', { tag: 0x0020000d, vr: 'UI', value: '1.2.3' }),
    record('SERIES', { tag: 0x0020000e, vr: 'UI', value: '1.2.3.4' }),
    image('IM1', '1.2.3.4.1'),
    image('IM2', '1.2.3.4.2'),
    record('STUDY', { tag: 0x0020000d, vr: 'UI', value: '1.2.9' }),
    image('IM3', '1.2.9.1'),
  ]);
  const scan = await scanDicom(bytesSource(dicomdir));
  expect(scan.findings.filter(({ tier }) => tier === 'reject').map(({ code }) => code)).toEqual(['DICOMDIR']);
  expect(readDicomdirRecords(dicomdir).files).toEqual([
    {
      path: 'IMAGES/IM1',
      sopInstanceUid: '1.2.3.4.1',
      studyInstanceUid: '1.2.3',
      seriesInstanceUid: '1.2.3.4',
    },
    {
      path: 'IMAGES/IM2',
      sopInstanceUid: '1.2.3.4.2',
      studyInstanceUid: '1.2.3',
      seriesInstanceUid: '1.2.3.4',
    },
    { path: 'IMAGES/IM3', sopInstanceUid: '1.2.9.1', studyInstanceUid: '1.2.9' },
  ]);
});

it('does not carry a study or series over to the next patient', () => {
  const dicomdir = buildDicomdir([
    record('PATIENT', { tag: 0x00100020, vr: 'LO', value: 'P1' }),
    record('STUDY', { tag: 0x0020000d, vr: 'UI', value: '1.2.3' }),
    record('SERIES', { tag: 0x0020000e, vr: 'UI', value: '1.2.3.4' }),
    record('PATIENT', { tag: 0x00100020, vr: 'LO', value: 'P2' }),
    image('IM1', '1.2.9.1'),
  ]);
  expect(readDicomdirRecords(dicomdir).files).toEqual([{ path: 'IMAGES/IM1', sopInstanceUid: '1.2.9.1' }]);
});

it('lists files of every sort, whatever lies around the bytes and however long the sequence says it is', () => {
  const report = record('SR DOCUMENT', { tag: 0x00041500, vr: 'CS', value: 'REPORT' });
  const dicomdir = buildDicomdir([report, image('IM1', '1.2.9.1')], true);
  const surrounded = new Uint8Array(dicomdir.length + 20).fill(0xff);
  surrounded.set(dicomdir, 10);
  expect(readDicomdirRecords(surrounded.subarray(10, -10)).files).toEqual([
    { path: 'REPORT' },
    { path: 'IMAGES/IM1', sopInstanceUid: '1.2.9.1' },
  ]);
});

it('keeps out of names what the database cannot hold, and what is longer than a name', () => {
  const [file] = readDicomdirRecords(buildDicomdir([image(`A\0\u0007B${'C'.repeat(200)}`, '1.2\0')])).files;
  expect(file?.path).toMatch(/^IMAGES\/A {2}BC+$/);
  expect(file?.path.length).toBeLessThan(80);
  expect(file?.sopInstanceUid).toBe('1.2');
});

it('knows of nothing where there are no records, and fails on what is no DICOM', () => {
  expect(readDicomdirRecords(buildDicomdir([])).files).toEqual([]);
  expect(() => readDicomdirRecords(new Uint8Array(200))).toThrow();
});
