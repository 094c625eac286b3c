import type { Encoding } from './encoding.js';
import { hasLongLength, IMPLICIT_LITTLE } from './encoding.js';
import { TAG } from './tags.js';

const UNDEFINED_LENGTH = 0xffffffff;

/** Encapsulated pixel data: the first fragment is the Basic Offset Table. */
export interface Fragments {
  fragments: readonly Uint8Array[];
  /** Leave out the closing Sequence Delimitation Item, to make a broken file. */
  unclosed?: boolean;
}

/** A sequence: each item is a list of elements. */
export interface Items {
  items: readonly (readonly DicomElement[])[];
  /** Write sequence and items with undefined length and delimiters; the default is defined lengths. */
  undefinedLength?: boolean;
}

/** One data element to be written. */
export interface DicomElement {
  /** Group in the upper half: `0x00100010`. */
  tag: number;
  vr: string;
  /** Text is written as UTF-8; numbers by the VR (US, UL, SS, SL, FL, FD); bytes as they are. */
  value: string | number | readonly number[] | Uint8Array | Items | Fragments;
  /** Length to write instead of the right one, to make a broken file. */
  declaredLength?: number;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Writes data elements in the order given (PS3.5 §7.1); a valid data set has them by ascending tag. */
export function encodeElements(elements: readonly DicomElement[], encoding: Encoding): Uint8Array {
  return concatBytes(elements.flatMap((element) => encodeElement(element, encoding)));
}

function encodeElement(element: DicomElement, encoding: Encoding): Uint8Array[] {
  const { value, undefinedLength } = encodeValue(element, encoding);
  const length = element.declaredLength ?? (undefinedLength ? UNDEFINED_LENGTH : value.length);
  return [encodeHeader(element.tag, element.vr, length, encoding), value];
}

function encodeHeader(tag: number, vr: string, length: number, encoding: Encoding): Uint8Array {
  const { explicitVr, littleEndian } = encoding;
  const long = explicitVr && hasLongLength(vr);
  const header = new Uint8Array(long ? 12 : 8);
  const view = new DataView(header.buffer);
  view.setUint16(0, tag >>> 16, littleEndian);
  view.setUint16(2, tag & 0xffff, littleEndian);
  if (!explicitVr) {
    view.setUint32(4, length, littleEndian);
    return header;
  }
  header.set(new TextEncoder().encode(vr), 4);
  if (long) view.setUint32(8, length, littleEndian);
  else view.setUint16(6, length, littleEndian);
  return header;
}

/** An item or delimiter: tag and length without a VR, in every encoding (PS3.5 §7.5). */
function encodeItemHeader(tag: number, length: number, encoding: Encoding): Uint8Array {
  return encodeHeader(tag, '', length, { ...encoding, explicitVr: false });
}

function encodeValue(
  { vr, value }: DicomElement,
  encoding: Encoding,
): { value: Uint8Array; undefinedLength: boolean } {
  if (value instanceof Uint8Array) return { value: padEven(value, 0), undefinedLength: false };
  if (typeof value === 'string') {
    const padding = vr === 'UI' || vr === 'OB' || vr === 'UN' ? 0 : 0x20;
    return { value: padEven(new TextEncoder().encode(value), padding), undefinedLength: false };
  }
  if (typeof value === 'number') {
    return { value: encodeNumbers(vr, [value], encoding.littleEndian), undefinedLength: false };
  }
  if ('fragments' in value) return { value: encodeFragments(value, encoding), undefinedLength: true };
  // PS3.5 §6.2.2: the contents of a UN are in implicit VR little endian, whatever surrounds them.
  if ('items' in value) return encodeItems(value, vr === 'UN' ? IMPLICIT_LITTLE : encoding);
  return { value: encodeNumbers(vr, value, encoding.littleEndian), undefinedLength: false };
}

function padEven(bytes: Uint8Array, padding: number): Uint8Array {
  return bytes.length % 2 === 0 ? bytes : concatBytes([bytes, Uint8Array.of(padding)]);
}

function encodeNumbers(vr: string, values: readonly number[], littleEndian: boolean): Uint8Array {
  const width = vr === 'US' || vr === 'SS' ? 2 : vr === 'FD' ? 8 : 4;
  const bytes = new Uint8Array(width * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => {
    const offset = index * width;
    if (vr === 'US') view.setUint16(offset, value, littleEndian);
    else if (vr === 'SS') view.setInt16(offset, value, littleEndian);
    else if (vr === 'SL') view.setInt32(offset, value, littleEndian);
    else if (vr === 'FL') view.setFloat32(offset, value, littleEndian);
    else if (vr === 'FD') view.setFloat64(offset, value, littleEndian);
    else view.setUint32(offset, value, littleEndian);
  });
  return bytes;
}

function encodeItems(
  { items, undefinedLength = false }: Items,
  encoding: Encoding,
): { value: Uint8Array; undefinedLength: boolean } {
  const parts = items.flatMap((elements) => {
    const content = encodeElements(elements, encoding);
    return undefinedLength
      ? [
          encodeItemHeader(TAG.item, UNDEFINED_LENGTH, encoding),
          content,
          encodeItemHeader(TAG.itemDelimitation, 0, encoding),
        ]
      : [encodeItemHeader(TAG.item, content.length, encoding), content];
  });
  if (undefinedLength) parts.push(encodeItemHeader(TAG.sequenceDelimitation, 0, encoding));
  return { value: concatBytes(parts), undefinedLength };
}

function encodeFragments({ fragments, unclosed = false }: Fragments, encoding: Encoding): Uint8Array {
  const parts = fragments.flatMap((fragment) => {
    const padded = padEven(fragment, 0);
    return [encodeItemHeader(TAG.item, padded.length, encoding), padded];
  });
  if (!unclosed) parts.push(encodeItemHeader(TAG.sequenceDelimitation, 0, encoding));
  return concatBytes(parts);
}
