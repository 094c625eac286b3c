import { scanDicom } from '@relaypacs/core/dicom/scan.js';
import { bytesSource } from '@relaypacs/core/dicom/source.js';
import dcmjs from 'dcmjs';
import { expect, it } from 'vitest';
import type { ClinicalNote } from './clinical-note.js';
import { buildNotePdfObject, buildNoteSrObject } from './note-objects.js';
import type { WrapContext } from './wrap-context.js';
import type { WrappedObject } from './wrapped-object.js';

const CONTEXT: WrapContext = {
  sopInstanceUid: '2.25.1',
  seriesInstanceUid: '2.25.2',
  studyInstanceUid: '2.25.3',
  seriesNumber: 9101,
  instanceNumber: 1,
  seriesDescription: 'Clinical history',
  patientName: 'Иванова^Анна',
  patientId: 'M-1',
  patientBirthDate: '1970-01-02',
  patientSex: 'F',
  studyDate: '2026-03-04',
  studyTime: '08:09:10',
  accessionNumber: 'A-1',
  madeAt: new Date('2026-03-04T10:12:00Z'),
};
const NOTE: ClinicalNote = {
  text: 'Fell from\ta ladder.\n胸の痛み\\ألم',
  patientName: 'Иванова, Анна',
  studyDate: '2026-03-04',
  serviceLevel: 'stat',
  author: 'Chen, Sarah',
  sentAt: new Date('2026-03-04T10:11:12Z'),
};
const PDF = new TextEncoder().encode('%PDF-1.3 of odd length');
const TEXT = 'Fell from    a ladder.\r\n胸の痛み\\ألم';

type DataSet = Record<string, { vr: string; Value?: unknown[] } | undefined>;

function read({ bytes }: WrappedObject): DataSet {
  return dcmjs.data.DicomMessage.readFile(bytes.slice().buffer).dict;
}
const valuesOf = (dataset: DataSet | undefined, tag: string) => dataset?.[tag]?.Value ?? [];
const itemsOf = (dataset: DataSet | undefined, tag: string) => valuesOf(dataset, tag) as DataSet[];
/** Code value and scheme of a coded concept. */
function codeOf(dataset: DataSet | undefined, tag: string): string {
  const [code] = itemsOf(dataset, tag);
  return [...valuesOf(code, '00080100'), ...valuesOf(code, '00080102')].join(' ');
}
/** dcmjs takes a backslash for the start of another value in texts as well, where PS3.5 §6.2 has it stand for itself. */
const textOf = (dataset: DataSet | undefined, tag: string) => valuesOf(dataset, tag).join('\\');
/** Within sequences dcmjs reads UTF-8 as Latin 1. */
const nestedTextOf = (dataset: DataSet | undefined, tag: string) =>
  Buffer.from(textOf(dataset, tag), 'latin1').toString('utf8');

it('holds the document unchanged, and says how long it is without padding', async () => {
  const odd = PDF.length % 2 === 1 ? PDF : PDF.subarray(1);
  for (const pdf of [odd, odd.subarray(1)]) {
    const [value] = valuesOf(read(buildNotePdfObject(NOTE, pdf, CONTEXT)), '00420011');
    const stored = new Uint8Array(value as ArrayBuffer);
    expect([...stored]).toEqual(pdf.length % 2 === 0 ? [...pdf] : [...pdf, 0]);
    expect(valuesOf(read(buildNotePdfObject(NOTE, pdf, CONTEXT)), '00420015')).toEqual([pdf.length]);
  }
});

it('describes the document as made by a program, with the patient on its pages', async () => {
  const object = buildNotePdfObject(NOTE, PDF, CONTEXT);
  expect(object).toMatchObject({
    sopInstanceUid: '2.25.1',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.104.1',
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    modality: 'DOC',
  });
  const dataset = read(object);
  expect(valuesOf(dataset, '00080060')).toEqual(['DOC']);
  expect(valuesOf(dataset, '00080064')).toEqual(['SYN']);
  expect(valuesOf(dataset, '00280301')).toEqual(['YES']);
  expect(valuesOf(dataset, '00420010')).toEqual(['Clinical history']);
  expect(valuesOf(dataset, '00420012')).toEqual(['application/pdf']);
  expect(codeOf(dataset, '0040A043')).toBe('11329-0 LN');
});

it('says in a structured report who wrote which history, complete and not verified', () => {
  const object = buildNoteSrObject(NOTE, CONTEXT);
  expect(object).toMatchObject({
    sopInstanceUid: '2.25.1',
    sopClassUid: '1.2.840.10008.5.1.4.1.1.88.11',
    transferSyntaxUid: '1.2.840.10008.1.2.1',
    modality: 'SR',
  });
  const dataset = read(object);
  expect(valuesOf(dataset, '0040A491')).toEqual(['COMPLETE']);
  expect(valuesOf(dataset, '0040A493')).toEqual(['UNVERIFIED']);
  expect(valuesOf(dataset, '0040A040')).toEqual(['CONTAINER']);
  expect(codeOf(dataset, '0040A043')).toBe('11329-0 LN');
  const [type, observer, history] = itemsOf(dataset, '0040A730');
  expect(codeOf(type, '0040A168')).toBe('121006 DCM');
  expect(codeOf(observer, '0040A043')).toBe('121008 DCM');
  expect(valuesOf(observer, '0040A123')).toMatchObject([{ Alphabetic: 'Chen^Sarah' }]);
  expect(valuesOf(history, '0040A010')).toEqual(['CONTAINS']);
  expect(nestedTextOf(history, '0040A160')).toBe(TEXT);
});

it('names no observer where the sender has no name', () => {
  const items = itemsOf(read(buildNoteSrObject({ ...NOTE, author: ' ' }, CONTEXT)), '0040A730');
  expect(items.map((item) => valuesOf(item, '0040A040')[0])).toEqual(['TEXT']);
});

it('keeps the whole of a long history in the report, and what a value may hold beside it', () => {
  const text = `${'胸'.repeat(9_999)}.`;
  const dataset = read(buildNoteSrObject({ ...NOTE, text }, CONTEXT));
  expect(nestedTextOf(itemsOf(dataset, '0040A730')[2], '0040A160')).toBe(text);
  expect(textOf(dataset, '001021B0')).toBe('胸'.repeat(3_413));
});

it.each([
  ['a document', () => buildNotePdfObject(NOTE, PDF, CONTEXT)],
  ['a structured report', () => buildNoteSrObject(NOTE, CONTEXT)],
])('%s stands in the study as the context says, in UTF-8, and is the same each time', async (_, build) => {
  const object = build();
  expect(build().bytes).toEqual(object.bytes);
  const scan = await scanDicom(bytesSource(object.bytes));
  expect(scan.findings).toEqual([]);
  expect(scan.characterSets).toEqual(['ISO_IR 192']);
  expect(scan.attributes).toMatchObject({
    sopInstanceUid: '2.25.1',
    seriesInstanceUid: '2.25.2',
    studyInstanceUid: '2.25.3',
    patientName: 'Иванова^Анна',
    studyDate: '2026-03-04',
  });
  const dataset = read(object);
  expect(valuesOf(dataset, '00200011').map(Number)).toEqual([9101]);
  expect(valuesOf(dataset, '00080023')).toEqual(['20260304']);
  expect(valuesOf(dataset, '00080033')).toEqual(['101112']);
  expect(textOf(dataset, '001021B0')).toBe(TEXT);
});
