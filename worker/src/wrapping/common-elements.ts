import type { DicomElement } from '@relaypacs/core/dicom/encode.js';
import { concatBytes, encodeElements } from '@relaypacs/core/dicom/encode.js';
import { EXPLICIT_LITTLE } from '@relaypacs/core/dicom/encoding.js';
import { encodeFileHead, IMPLEMENTATION_VERSION_NAME } from '@relaypacs/core/dicom/file-meta.js';
import { TAG } from '@relaypacs/core/dicom/tags.js';
import type { WrapContext } from './wrap-context.js';

/** `YYYY-MM-DD` as DICOM writes it (PS3.5 §6.2 DA); '' stays empty, as type 2 attributes may. */
const da = (date: string | undefined) => (date ?? '').replaceAll('-', '');
/** `HH:MM:SS` as DICOM writes it (PS3.5 §6.2 TM). */
const tm = (time: string | undefined) => (time ?? '').replaceAll(':', '');
/**
 * Cut to the length the VR allows, in characters (PS3.5 table 6.2-1), and without what it does not allow: a backslash
 * would begin a second value, and control characters have no place in a line.
 */
const cut = (text: string | undefined, length: number) =>
  [...(text ?? '').replace(/[\\\p{Cc}]+/gu, ' ').trim()].slice(0, length).join('').trimEnd();
/** One component group of a name has at most 64 characters. */
const pn = (name: string | undefined) => cut(name, 64);

/**
 * Patient, General Study, General Series, General Equipment and SOP Common (PS3.3 §C.7.1.1, C.7.2.1, C.7.3.1, C.7.5.1,
 * C.12.1) of an object RelayPACS writes, in UTF-8.
 */
export function commonElements(
  context: WrapContext,
  { sopClassUid, modality }: { sopClassUid: string; modality: string },
): DicomElement[] {
  const madeOn = context.madeAt.toISOString();
  return [
    { tag: TAG.specificCharacterSet, vr: 'CS', value: 'ISO_IR 192' },
    { tag: 0x00080012, vr: 'DA', value: da(madeOn.slice(0, 10)) }, // Instance Creation Date
    { tag: 0x00080013, vr: 'TM', value: tm(madeOn.slice(11, 19)) }, // Instance Creation Time
    { tag: TAG.sopClassUid, vr: 'UI', value: sopClassUid },
    { tag: TAG.sopInstanceUid, vr: 'UI', value: context.sopInstanceUid },
    { tag: TAG.studyDate, vr: 'DA', value: da(context.studyDate) },
    { tag: TAG.studyTime, vr: 'TM', value: tm(context.studyTime) },
    { tag: TAG.accessionNumber, vr: 'SH', value: cut(context.accessionNumber, 16) },
    { tag: TAG.modality, vr: 'CS', value: modality },
    { tag: TAG.manufacturer, vr: 'LO', value: 'RelayPACS' },
    { tag: TAG.referringPhysicianName, vr: 'PN', value: pn(context.referringPhysicianName) },
    ...(context.studyDescription
      ? [{ tag: TAG.studyDescription, vr: 'LO', value: cut(context.studyDescription, 64) }]
      : []),
    { tag: TAG.seriesDescription, vr: 'LO', value: cut(context.seriesDescription, 64) },
    { tag: TAG.manufacturerModelName, vr: 'LO', value: 'RelayPACS' },
    { tag: TAG.patientName, vr: 'PN', value: pn(context.patientName) },
    { tag: TAG.patientId, vr: 'LO', value: cut(context.patientId, 64) },
    { tag: TAG.patientBirthDate, vr: 'DA', value: da(context.patientBirthDate) },
    { tag: TAG.patientSex, vr: 'CS', value: context.patientSex ?? '' },
    { tag: 0x00181020, vr: 'LO', value: IMPLEMENTATION_VERSION_NAME }, // Software Versions
    { tag: TAG.studyInstanceUid, vr: 'UI', value: context.studyInstanceUid },
    { tag: TAG.seriesInstanceUid, vr: 'UI', value: context.seriesInstanceUid },
    { tag: TAG.studyId, vr: 'SH', value: cut(context.studyId, 16) },
    { tag: TAG.seriesNumber, vr: 'IS', value: String(context.seriesNumber) },
    { tag: TAG.instanceNumber, vr: 'IS', value: String(context.instanceNumber) },
  ];
}

/**
 * Writes a DICOM file (PS3.10 §7.1) with these elements, sorted by tag; of two with one tag the later counts.
 *
 * @param transferSyntaxUid - one in explicit VR little endian, native or encapsulated
 */
export function writeDicomFile(
  elements: readonly DicomElement[],
  identity: { sopClassUid: string; sopInstanceUid: string; transferSyntaxUid: string },
): Uint8Array {
  const byTag = new Map(elements.map((element) => [element.tag, element]));
  const dataset = encodeElements(
    [...byTag.values()].sort((a, b) => a.tag - b.tag),
    EXPLICIT_LITTLE,
  );
  return concatBytes([encodeFileHead(identity), dataset]);
}
