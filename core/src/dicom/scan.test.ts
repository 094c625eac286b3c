import { describe, expect, it } from 'vitest';
import { concatBytes } from './encode.js';
import type { FindingCode } from './findings.js';
import { scanDicom } from './scan.js';
import { blobSource, bytesSource } from './source.js';
import type { DicomOptions } from './testing/build.js';
import { buildDicom, makeSlice } from './testing/build.js';

const JPEG = '1.2.840.10008.1.2.4.50';
const RLE = '1.2.840.10008.1.2.5';

const scan = (bytes: Uint8Array) => scanDicom(bytesSource(bytes));
const scanBuilt = (options: DicomOptions) => scan(buildDicom(options));

async function codesOf(options: DicomOptions): Promise<FindingCode[]> {
  return (await scanBuilt(options)).findings.map((finding) => finding.code);
}

describe('a valid file', () => {
  it('is read for everything a study list needs', async () => {
    const result = await scan(
      makeSlice({
        sopInstanceUid: '1.2.3.1',
        studyInstanceUid: '1.2.3.2',
        seriesInstanceUid: '1.2.3.3',
        patientName: 'Müller^Jürgen',
        patientId: 'P-7',
        patientBirthDate: '19610402',
        patientSex: 'M',
        studyDate: '20260105',
        studyTime: '081530.25',
        modality: 'MR',
        instanceNumber: 12,
        rows: 32,
        columns: 48,
      }),
    );
    expect(result).toMatchObject({
      verdict: 'valid',
      isDicom: true,
      needsRewrite: false,
      findings: [],
      transferSyntaxUid: '1.2.840.10008.1.2.1',
      characterSets: ['ISO_IR 192'],
      meta: { hasPreamble: true, mediaStorageSopInstanceUid: '1.2.3.1' },
      attributes: {
        sopInstanceUid: '1.2.3.1',
        studyInstanceUid: '1.2.3.2',
        seriesInstanceUid: '1.2.3.3',
        patientName: 'Müller^Jürgen',
        patientId: 'P-7',
        patientBirthDate: '1961-04-02',
        patientSex: 'M',
        studyDate: '2026-01-05',
        studyTime: '08:15:30',
        modality: 'MR',
        instanceNumber: 12,
        rows: 32,
        columns: 48,
      },
    });
  });

  it.each([
    ['implicit little endian', '1.2.840.10008.1.2'],
    ['explicit little endian', '1.2.840.10008.1.2.1'],
    ['explicit big endian', '1.2.840.10008.1.2.2'],
    ['deflated', '1.2.840.10008.1.2.1.99'],
    ['JPEG baseline', JPEG],
    ['RLE', RLE],
  ])('is accepted in %s', async (_name, transferSyntaxUid) => {
    const result = await scanBuilt({ transferSyntaxUid, rows: 20, columns: 30, frames: 3, patientId: 'P-1' });
    expect(result.findings).toEqual([]);
    expect(result.transferSyntaxUid).toBe(transferSyntaxUid);
    expect(result.attributes).toMatchObject({ rows: 20, columns: 30, numberOfFrames: 3, patientId: 'P-1' });
  });

  it('of 512 KiB costs one read of its first 64 KiB', async () => {
    const result = await scan(makeSlice({ rows: 512, columns: 512 }));
    expect(result.verdict).toBe('valid');
    expect(result.cost).toMatchObject({ reads: 1, bytesRead: 65_536 });
  });

  it('tells where its pixels lie, so that a new header can be put in front of them', async () => {
    const pixels = Uint8Array.from({ length: 128 }, (_, i) => i);
    const bytes = buildDicom({ rows: 8, columns: 8, pixels });
    const { pixelData } = await scan(bytes);
    expect(pixelData).toMatchObject({ encapsulated: false, length: 128, end: bytes.length });
    expect(bytes.subarray(pixelData!.offset, pixelData!.end)).toEqual(pixels);
    expect(bytes.subarray(pixelData!.elementOffset, pixelData!.elementOffset + 4)).toEqual(
      Uint8Array.of(0xe0, 0x7f, 0x10, 0x00),
    );
  });

  it('is read alike from a browser File', async () => {
    const bytes = makeSlice({ patientId: 'P-9' });
    const result = await scanDicom(blobSource(new Blob([bytes as Uint8Array<ArrayBuffer>])));
    expect(result.attributes.patientId).toBe('P-9');
  });
});

describe('what is not DICOM', () => {
  it.each([
    ['an empty file', new Uint8Array(0), 'EMPTY_FILE'],
    ['text', new TextEncoder().encode('Dear colleague, please find attached'.repeat(10)), 'NOT_DICOM'],
    [
      'a JPEG',
      concatBytes([Uint8Array.of(0xff, 0xd8, 0xff, 0xe0), new Uint8Array(500).fill(7)]),
      'NOT_DICOM',
    ],
    ['a single byte', Uint8Array.of(8), 'NOT_DICOM'],
  ])('%s is rejected', async (_name, bytes, code) => {
    const result = await scan(bytes);
    expect(result).toMatchObject({
      verdict: 'invalid',
      isDicom: false,
      findings: [{ code, tier: 'reject' }],
    });
  });

  it('a DICOMDIR is told apart from an image', async () => {
    const meta = { sopClassUid: '1.2.840.10008.1.3.10' };
    expect(await codesOf({ meta, omit: [0x00080016, 0x00080018] })).toContain('DICOMDIR');
  });
});

describe('the file header', () => {
  it('that looks like a program must be cleared before delivery', async () => {
    const preamble = concatBytes([new TextEncoder().encode('MZ'), new Uint8Array(126)]);
    const result = await scanBuilt({ preamble });
    expect(result).toMatchObject({ verdict: 'repairable', needsRewrite: true });
    expect(result.findings[0]?.code).toBe('PREAMBLE_EXECUTABLE');
  });

  it('that makes the file a TIFF as well is fine (PS3.10 §7.1), other bytes are noted', async () => {
    const starting = (text: string) => concatBytes([new TextEncoder().encode(text), new Uint8Array(124)]);
    expect(await codesOf({ preamble: starting('II*\0') })).toEqual([]);
    expect(await codesOf({ preamble: starting('abcd') })).toEqual(['PREAMBLE_NOT_EMPTY']);
  });

  it.each([
    ['without a preamble', { preamble: null }, 'NO_PREAMBLE', false],
    ['without preamble and meta information', { preamble: null, meta: null }, 'NO_PREAMBLE', false],
    [
      'without a transfer syntax',
      { meta: { transferSyntaxUid: null } },
      'META_TRANSFER_SYNTAX_MISSING',
      false,
    ],
    [
      'that names another instance',
      { meta: { sopInstanceUid: '1.2.9' } },
      'META_SOP_INSTANCE_MISMATCH',
      false,
    ],
    ['that names another kind', { meta: { sopClassUid: '1.2.9' } }, 'META_SOP_CLASS_MISMATCH', false],
    ['that reaches into the data', { meta: { groupLength: 400 } }, 'META_GROUP_LENGTH_TOO_LONG', true],
  ] satisfies [string, DicomOptions, FindingCode, boolean][])(
    '%s is repairable',
    async (_name, options, code, needsRewrite) => {
      const result = await scanBuilt(options);
      expect(result).toMatchObject({ verdict: 'repairable', needsRewrite, findings: [{ code }] });
      expect(result.attributes.patientId).toBe('TEST-1');
    },
  );

  it.each([[20], [0], [null]])('with the wrong group length %s is read all the same', async (groupLength) => {
    const result = await scanBuilt({ meta: { groupLength } });
    expect(result).toMatchObject({ verdict: 'valid', findings: [{ code: 'META_GROUP_LENGTH_WRONG' }] });
  });

  it('that is damaged must be written anew', async () => {
    const bytes = makeSlice();
    bytes.set(new TextEncoder().encode('z?'), bytes.indexOf(0x55, 170)); // the VR of the SOP Instance UID
    expect(await scan(bytes)).toMatchObject({
      verdict: 'repairable',
      needsRewrite: true,
      findings: [{ code: 'META_DAMAGED' }],
    });
  });

  it('without its first 128 bytes must be given them', async () => {
    const whole = makeSlice();
    expect(await scan(whole.subarray(128))).toMatchObject({
      verdict: 'repairable',
      needsRewrite: true,
      findings: [{ code: 'PREAMBLE_CUT_OFF' }],
    });
  });

  it('that names another kind and another instance belongs to another file', async () => {
    const result = await scanBuilt({ meta: { sopInstanceUid: '1.2.9', sopClassUid: '1.2.8' } });
    expect(result).toMatchObject({ verdict: 'invalid', findings: [{ code: 'META_MISMATCH' }] });
  });

  it.each([
    ['1.2.840.10008.1.2', '1.2.840.10008.1.2.1'],
    ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2'],
    ['1.2.840.10008.1.2.2', '1.2.840.10008.1.2.1'],
  ])('of a data set in %s that says %s is found out', async (real, named) => {
    const result = await scanBuilt({ transferSyntaxUid: real, meta: { transferSyntaxUid: named } });
    expect(result).toMatchObject({
      verdict: 'repairable',
      needsRewrite: true,
      transferSyntaxUid: real,
      findings: [{ code: 'TRANSFER_SYNTAX_MISMATCH' }],
      attributes: { patientId: 'TEST-1' },
    });
  });

  it('with a transfer syntax nobody knows is passed on with a warning', async () => {
    expect(await codesOf({ meta: { transferSyntaxUid: '1.2.3.4' } })).toEqual(['UNKNOWN_TRANSFER_SYNTAX']);
  });
});

describe('the four identifiers', () => {
  it.each([
    ['SOP class', 0x00080016, '(0008,0016)'],
    ['SOP instance', 0x00080018, '(0008,0018)'],
    ['study', 0x0020000d, '(0020,000D)'],
    ['series', 0x0020000e, '(0020,000E)'],
  ])('without the %s the file is rejected', async (_name, tag, printed) => {
    const result = await scanBuilt({ omit: [tag] });
    expect(result).toMatchObject({
      verdict: 'invalid',
      findings: [{ code: 'MISSING_UID', tier: 'reject', tag: printed }],
    });
    expect(await codesOf({ elements: [{ tag, vr: 'UI', value: '' }] })).toContain('MISSING_UID');
  });

  it.each([
    ['letters', '1.2.3.abc'],
    ['65 characters', `1.${'2'.repeat(63)}`],
    ['an empty component', '1.2..3'],
    ['two values', '1.2.3\\1.2.4'],
    ['a NUL in the middle', '1.2\u00003'],
    ['a NUL in front', '\u00001.2.3'],
  ])('%s in a UID reject the file', async (_name, studyInstanceUid) => {
    const result = await scanBuilt({ studyInstanceUid });
    expect(result).toMatchObject({ verdict: 'invalid', findings: [{ code: 'INVALID_UID' }] });
    expect(result.attributes.studyInstanceUid).toBeUndefined();
  });

  it('leading zeros in a UID are noted only, as archives keep them', async () => {
    const result = await scanBuilt({ studyInstanceUid: '1.2.03.4' });
    expect(result).toMatchObject({ verdict: 'valid', findings: [{ code: 'UID_FORMAT' }] });
    expect(result.attributes.studyInstanceUid).toBe('1.2.03.4');
  });

  it('a UID that occurs twice with different values rejects the file', async () => {
    const another = buildDicom({ preamble: null, meta: null, pixels: null, omit: [0x00080016] });
    expect(await codesOf({ pixels: null, trailing: another })).toContain('AMBIGUOUS_UID');
  });

  it('a UID of an unknown type is left to the archive to judge, with a warning', async () => {
    const elements = [{ tag: 0x0020000d, vr: 'UN', value: '1.2.3' }];
    const result = await scanBuilt({ elements });
    expect(result).toMatchObject({
      verdict: 'valid',
      needsRewrite: false,
      findings: [{ code: 'UID_VR_UNKNOWN' }],
    });
    expect(result.attributes.studyInstanceUid).toBe('1.2.3');
  });

  it('an image without meta information and identifiers can be given new ones', async () => {
    const omit = [0x00080018, 0x0020000d, 0x0020000e];
    const result = await scanBuilt({ preamble: null, meta: null, omit });
    expect(result).toMatchObject({ verdict: 'repairable', needsRewrite: true });
    expect(result.findings.map(({ code }) => code)).toEqual(['NO_PREAMBLE', 'UIDS_ABSENT']);
    expect((await scanBuilt({ omit })).verdict).toBe('invalid');
  });

  it('a private SOP class is a warning', async () => {
    expect(await codesOf({ sopClassUid: '1.2.3.4.5.6' })).toEqual(['PRIVATE_SOP_CLASS']);
  });
});

describe('attributes', () => {
  it.each([
    ['patient ID', 0x00100020],
    ['patient name', 0x00100010],
    ['study date', 0x00080020],
  ])('a missing %s is a warning that names it', async (name, tag) => {
    const { verdict, findings } = await scanBuilt({ omit: [tag] });
    expect(verdict).toBe('valid');
    expect(findings).toMatchObject([{ code: 'MISSING_ATTRIBUTE', tier: 'warn' }]);
    expect(findings[0]?.message).toBe(`The ${name} is missing or empty.`);
  });

  it('tells a missing accession number apart: images made outside of a hospital have none', async () => {
    const { findings } = await scanBuilt({ omit: [0x00080050] });
    expect(findings).toMatchObject([{ code: 'NO_ACCESSION_NUMBER', tier: 'warn' }]);
    expect((await scanBuilt({ accessionNumber: '' })).findings).toMatchObject(findings);
  });

  it('impossible dates and overlong values are warnings, and the date is left out', async () => {
    const result = await scanBuilt({ studyDate: '20261345', accessionNumber: 'A'.repeat(17) });
    expect(result.verdict).toBe('valid');
    expect(result.findings.map(({ code }) => code)).toEqual(['INVALID_VALUE', 'VALUE_TOO_LONG']);
    expect(result.attributes.studyDate).toBeUndefined();
  });

  it('no message repeats what a value says', async () => {
    const secret = 'Zaphod';
    const result = await scanBuilt({
      patientName: secret.repeat(20),
      patientId: `${secret}\\${secret}`,
      studyDate: secret,
      studyInstanceUid: secret,
      omit: [0x00080016],
    });
    expect(result.findings.length).toBeGreaterThan(3);
    expect(JSON.stringify(result.findings)).not.toContain(secret);
  });
});
