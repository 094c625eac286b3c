import type { DicomElement } from '@relaypacs/core/dicom/encode.js';
import { toPersonName } from '@relaypacs/core/dicom/person-name.js';
import { EXPLICIT_VR_LITTLE_ENDIAN } from '@relaypacs/core/dicom/transfer-syntax.js';
import type { ClinicalNote } from './clinical-note.js';
import { commonElements, writeDicomFile } from './common-elements.js';
import type { WrapContext } from './wrap-context.js';
import type { WrappedObject } from './wrapped-object.js';

const ENCAPSULATED_PDF_STORAGE = '1.2.840.10008.5.1.4.1.1.104.1';
const BASIC_TEXT_SR_STORAGE = '1.2.840.10008.5.1.4.1.1.88.11';
/** Longest Additional Patient History: 10,240 characters (LT, PS3.5 table 6.2-1), which many readers take for bytes. */
const MOST_HISTORY = 10_240;

interface Code {
  value: string;
  scheme: 'LN' | 'DCM';
  meaning: string;
}

const HISTORY: Code = { value: '11329-0', scheme: 'LN', meaning: 'History' };
/** Observer type and its two kinds (PS3.16 TID 1002, CID 270). */
const OBSERVER_TYPE: Code = { value: '121005', scheme: 'DCM', meaning: 'Observer Type' };
const PERSON: Code = { value: '121006', scheme: 'DCM', meaning: 'Person' };
const PERSON_OBSERVER_NAME: Code = { value: '121008', scheme: 'DCM', meaning: 'Person Observer Name' };

/** The clinical history as an Encapsulated PDF (PS3.3 §A.45.1). */
export function buildNotePdfObject(note: ClinicalNote, pdf: Uint8Array, context: WrapContext): WrappedObject {
  return write(ENCAPSULATED_PDF_STORAGE, 'DOC', note, context, [
    { tag: 0x00080064, vr: 'CS', value: 'SYN' }, // Conversion Type
    { tag: 0x00280301, vr: 'CS', value: 'YES' }, // Burned In Annotation: the page names the patient
    { tag: 0x00420010, vr: 'ST', value: 'Clinical history' }, // Document Title
    { tag: 0x0040a043, vr: 'SQ', value: { items: [codeItem(HISTORY)] } }, // Concept Name Code Sequence
    { tag: 0x00420012, vr: 'LO', value: 'application/pdf' },
    { tag: 0x00420011, vr: 'OB', value: pdf },
    { tag: 0x00420015, vr: 'UL', value: pdf.length }, // without the padding
  ]);
}

/** The clinical history as a Basic Text SR (PS3.3 §A.35.1): the text that a reader can search and copy. */
export function buildNoteSrObject(note: ClinicalNote, context: WrapContext): WrappedObject {
  const content: DicomElement[][] = [
    ...observerItems(note.author),
    item('CONTAINS', 'TEXT', HISTORY, { tag: 0x0040a160, vr: 'UT', value: toDicomText(note.text) }),
  ];
  return write(BASIC_TEXT_SR_STORAGE, 'SR', note, context, [
    { tag: 0x00081111, vr: 'SQ', value: { items: [] } }, // Referenced Performed Procedure Step Sequence
    { tag: 0x0040a372, vr: 'SQ', value: { items: [] } }, // Performed Procedure Code Sequence
    { tag: 0x0040a491, vr: 'CS', value: 'COMPLETE' }, // Completion Flag
    { tag: 0x0040a493, vr: 'CS', value: 'UNVERIFIED' }, // Verification Flag
    { tag: 0x0040a040, vr: 'CS', value: 'CONTAINER' }, // Value Type
    { tag: 0x0040a043, vr: 'SQ', value: { items: [codeItem(HISTORY)] } },
    { tag: 0x0040a050, vr: 'CS', value: 'SEPARATE' }, // Continuity Of Content
    { tag: 0x0040a730, vr: 'SQ', value: { items: content } },
  ]);
}

function write(
  sopClassUid: string,
  modality: string,
  note: ClinicalNote,
  context: WrapContext,
  elements: readonly DicomElement[],
): WrappedObject {
  const { sopInstanceUid } = context;
  const transferSyntaxUid = EXPLICIT_VR_LITTLE_ENDIAN;
  const sentAt = note.sentAt.toISOString();
  const bytes = writeDicomFile(
    [
      ...commonElements(context, { sopClassUid, modality }),
      { tag: 0x00080023, vr: 'DA', value: sentAt.slice(0, 10).replaceAll('-', '') }, // Content Date
      { tag: 0x00080033, vr: 'TM', value: sentAt.slice(11, 19).replaceAll(':', '') }, // Content Time
      ...(modality === 'DOC' ? [{ tag: 0x0008002a, vr: 'DT', value: '' }] : []), // Acquisition DateTime
      { tag: 0x001021b0, vr: 'LT', value: additionalHistory(note.text) },
      ...elements,
    ],
    { sopClassUid, sopInstanceUid, transferSyntaxUid },
  );
  return { bytes, sopInstanceUid, sopClassUid, transferSyntaxUid, modality };
}

/** Who says what follows (PS3.16 TID 1002). The value of an item must not be empty: without a name there is none. */
function observerItems(author: string): DicomElement[][] {
  const name = toPersonName(author);
  if (name === '') return [];
  const person: DicomElement = { tag: 0x0040a168, vr: 'SQ', value: { items: [codeItem(PERSON)] } };
  return [
    item('HAS OBS CONTEXT', 'CODE', OBSERVER_TYPE, person),
    item('HAS OBS CONTEXT', 'PNAME', PERSON_OBSERVER_NAME, { tag: 0x0040a123, vr: 'PN', value: name }),
  ];
}

/** One item of the content tree (PS3.3 §C.17.3). */
function item(relationship: string, valueType: string, name: Code, value: DicomElement): DicomElement[] {
  return [
    { tag: 0x0040a010, vr: 'CS', value: relationship },
    { tag: 0x0040a040, vr: 'CS', value: valueType },
    { tag: 0x0040a043, vr: 'SQ', value: { items: [codeItem(name)] } },
    value,
  ].sort((a, b) => a.tag - b.tag);
}

function codeItem({ value, scheme, meaning }: Code): DicomElement[] {
  return [
    { tag: 0x00080100, vr: 'SH', value },
    { tag: 0x00080102, vr: 'SH', value: scheme },
    { tag: 0x00080104, vr: 'LO', value: meaning },
  ];
}

/** A line ends with CR LF (PS3.5 §6.1.3). Tabs become blanks, as dciodvfy counts them as errors. */
const toDicomText = (text: string) => text.replace(/\r\n?|\n/g, '\r\n').replaceAll('\t', '    ');

/** As much of the text as the value may hold; the whole stands in the document. */
function additionalHistory(text: string): string {
  const encoder = new TextEncoder();
  let bytes = 0;
  let history = '';
  for (const character of toDicomText(text)) {
    bytes += encoder.encode(character).length;
    if (bytes > MOST_HISTORY) break;
    history += character;
  }
  return history;
}
