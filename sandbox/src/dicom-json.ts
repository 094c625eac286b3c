import type { TextReader } from './character-set.js';

/** One attribute of the DICOM JSON Model (PS3.18 F.2). */
export interface JsonElement {
  vr: string;
  Value?: JsonValue[];
  BulkDataURI?: string;
}

/** A data set of the DICOM JSON Model: `GGGGEEEE` → attribute. */
export type Attributes = Record<string, JsonElement>;

export interface PersonName {
  Alphabetic?: string;
  Ideographic?: string;
  Phonetic?: string;
}

export type JsonValue = string | number | null | PersonName | Attributes;

/** VRs whose text is in the data set's character set (PS3.5 6.1.2.2). */
const TEXT_VRS = new Set(['LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UT']);
/** VRs with one value, in which a backslash is a character like any other (PS3.5 6.2). */
const SINGLE_VALUE_VRS = new Set(['LT', 'ST', 'UR', 'UT']);
const BULK_VRS = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'UN']);

const NUMBERS: Record<
  string,
  { size: number; read(view: DataView, at: number, little: boolean): JsonValue }
> = {
  US: { size: 2, read: (view, at, little) => view.getUint16(at, little) },
  SS: { size: 2, read: (view, at, little) => view.getInt16(at, little) },
  UL: { size: 4, read: (view, at, little) => view.getUint32(at, little) },
  SL: { size: 4, read: (view, at, little) => view.getInt32(at, little) },
  FL: { size: 4, read: (view, at, little) => finite(view.getFloat32(at, little)) },
  FD: { size: 8, read: (view, at, little) => finite(view.getFloat64(at, little)) },
  UV: { size: 8, read: (view, at, little) => integer(view.getBigUint64(at, little)) },
  SV: { size: 8, read: (view, at, little) => integer(view.getBigInt64(at, little)) },
  AT: {
    size: 4,
    read: (view, at, little) => tagText(view.getUint16(at, little), view.getUint16(at + 2, little)),
  },
};

/** Whether values of this VR are given by reference, never inline. */
export function isBulk(vr: string): boolean {
  return (
    BULK_VRS.has(vr) || (!(vr in NUMBERS) && !/^(A[ES]|CS|D[AST]|IS|TM|U[IR])$/.test(vr) && !TEXT_VRS.has(vr))
  );
}

/** The attribute that holds these bytes. `vr` must not be a bulk one. */
export function elementOf(vr: string, bytes: Buffer, readText: TextReader, bigEndian: boolean): JsonElement {
  const number = NUMBERS[vr];
  const values = number ? binaryValues(bytes, number, bigEndian) : textValues(vr, bytes, readText);
  return values.length === 0 ? { vr } : { vr, Value: values };
}

function binaryValues(
  bytes: Buffer,
  { size, read }: (typeof NUMBERS)[string],
  bigEndian: boolean,
): JsonValue[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: JsonValue[] = [];
  for (let at = 0; at + size <= bytes.length; at += size) values.push(read(view, at, !bigEndian));
  return values;
}

function textValues(vr: string, bytes: Buffer, readText: TextReader): JsonValue[] {
  const text = TEXT_VRS.has(vr) ? readText(bytes, vr === 'PN') : bytes.toString('latin1');
  if (SINGLE_VALUE_VRS.has(vr)) {
    const value = text.replace(/[ \0]+$/, '');
    return value === '' ? [] : [value];
  }
  // Decoded first and split then: in GB18030 and Shift JIS a backslash's byte may be half a character.
  const values = text.split('\\').map((part) => part.replace(/^ +|[ \0]+$/g, ''));
  if (values.every((value) => value === '')) return [];
  return values.map((value) => {
    if (value === '') return null;
    if (vr === 'PN') return personName(value);
    if (vr === 'IS' || vr === 'DS')
      return /^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(value) ? finite(Number(value)) : value;
    return value;
  });
}

function personName(value: string): PersonName {
  const [Alphabetic, Ideographic, Phonetic] = value.split('=').map((group) => group.trimEnd());
  return {
    ...(Alphabetic && { Alphabetic }),
    ...(Ideographic && { Ideographic }),
    ...(Phonetic && { Phonetic }),
  };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** 64-bit integers that a JSON number cannot hold are text (PS3.18 F.2.3.1). */
function integer(value: bigint): JsonValue {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

function tagText(group: number, element: number): string {
  return (group * 0x10000 + element).toString(16).toUpperCase().padStart(8, '0');
}

/**
 * JSON text of a data set, attributes in ascending order (PS3.18 F.2.2). Needed because JavaScript objects put keys
 * that look like integers, such as `30060020`, before all others.
 */
export function stringify(attributes: Attributes): string {
  const members = Object.keys(attributes)
    .sort()
    .map((tag) => `"${tag}":${elementText(attributes[tag] ?? { vr: 'UN' })}`);
  return `{${members.join(',')}}`;
}

function elementText(element: JsonElement): string {
  if (element.vr !== 'SQ' || !element.Value) return JSON.stringify(element);
  const items = element.Value.map((item) => stringify(item as Attributes));
  return `{"vr":"SQ","Value":[${items.join(',')}]}`;
}
