import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';

/** Value of an element: text, raw bytes, the items of a sequence, or encapsulated fragments. */
export type TestValue = string | Buffer | TestDataset[] | { fragments: Buffer[] };
/** `GGGGEEEE` → VR and value. Written in the order given. */
export type TestDataset = Record<string, [vr: string, value: TestValue]>;

export const EXPLICIT_LE = '1.2.840.10008.1.2.1';
export const IMPLICIT_LE = '1.2.840.10008.1.2';
export const EXPLICIT_BE = '1.2.840.10008.1.2.2';
export const DEFLATED = '1.2.840.10008.1.2.1.99';
export const JPEG_LOSSLESS = '1.2.840.10008.1.2.4.70';
export const CT_IMAGE = '1.2.840.10008.5.1.4.1.1.2';

const LONG_LENGTH_VRS = new Set([
  'OB',
  'OD',
  'OF',
  'OL',
  'OV',
  'OW',
  'SQ',
  'SV',
  'UC',
  'UN',
  'UR',
  'UT',
  'UV',
]);
const UNDEFINED_LENGTH = 0xffffffff;

/** A fresh UID below the UUID-derived root (PS3.5 B.2). */
export function newUid(): string {
  return `2.25.${BigInt(`0x${randomBytes(16).toString('hex')}`)}`;
}

interface Encoding {
  explicit: boolean;
  bigEndian: boolean;
}

function uint16(value: number, { bigEndian }: Encoding): Buffer {
  const bytes = Buffer.alloc(2);
  if (bigEndian) bytes.writeUInt16BE(value);
  else bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number, { bigEndian }: Encoding): Buffer {
  const bytes = Buffer.alloc(4);
  if (bigEndian) bytes.writeUInt32BE(value);
  else bytes.writeUInt32LE(value);
  return bytes;
}

function tagBytes(tag: string, encoding: Encoding): Buffer {
  const group = Number.parseInt(tag.slice(0, 4), 16);
  const element = Number.parseInt(tag.slice(4), 16);
  return Buffer.concat([uint16(group, encoding), uint16(element, encoding)]);
}

/** One element header and value; `length` may lie, for files that must be refused. */
export function encodeElement(
  tag: string,
  vr: string,
  value: TestValue,
  encoding: Encoding,
  length?: number,
): Buffer {
  const bytes = encodeValue(vr, value, encoding);
  const undefinedLength = Array.isArray(value) || (typeof value === 'object' && 'fragments' in value);
  const said = length ?? (undefinedLength ? UNDEFINED_LENGTH : bytes.length);
  const head = [tagBytes(tag, encoding)];
  if (!encoding.explicit) head.push(uint32(said, encoding));
  else if (LONG_LENGTH_VRS.has(vr)) head.push(Buffer.from(`${vr}\0\0`, 'latin1'), uint32(said, encoding));
  else head.push(Buffer.from(vr, 'latin1'), uint16(said, encoding));
  return Buffer.concat([...head, bytes]);
}

function encodeValue(vr: string, value: TestValue, encoding: Encoding): Buffer {
  if (typeof value === 'string') return pad(vr, Buffer.from(value, 'utf8'));
  if (Buffer.isBuffer(value)) return pad(vr, value);
  const delimiter = Buffer.concat([tagBytes('FFFEE0DD', encoding), uint32(0, encoding)]);
  const item = (length: number) => Buffer.concat([tagBytes('FFFEE000', encoding), uint32(length, encoding)]);
  if (Array.isArray(value)) {
    const end = Buffer.concat([tagBytes('FFFEE00D', encoding), uint32(0, encoding)]);
    const items = value.map((dataset) =>
      Buffer.concat([item(UNDEFINED_LENGTH), encodeDataset(dataset, encoding), end]),
    );
    return Buffer.concat([...items, delimiter]);
  }
  const fragments = value.fragments.map((bytes) => Buffer.concat([item(bytes.length), bytes]));
  return Buffer.concat([...fragments, delimiter]);
}

function pad(vr: string, bytes: Buffer): Buffer {
  if (bytes.length % 2 === 0) return bytes;
  return Buffer.concat([bytes, Buffer.from(['UI', 'OB', 'UN'].includes(vr) ? '\0' : ' ')]);
}

/** The elements of a data set, one after another. */
export function encodeDataset(dataset: TestDataset, encoding: Encoding): Buffer {
  return Buffer.concat(
    Object.entries(dataset).map(([tag, [vr, value]]) => encodeElement(tag, vr, value, encoding)),
  );
}

/** The encoding a transfer syntax asks for (PS3.5 A.1–A.5). */
export function encodingOf(transferSyntax: string): Encoding {
  return { explicit: transferSyntax !== IMPLICIT_LE, bigEndian: transferSyntax === EXPLICIT_BE };
}

export interface TestFile {
  studyUid: string;
  seriesUid: string;
  sopUid: string;
  bytes: Buffer;
}

export interface TestFileOptions {
  studyUid?: string;
  seriesUid?: string;
  sopUid?: string;
  transferSyntax?: string;
  /** Added to, or put in place of, the elements of a small CT slice; `undefined` removes one. */
  elements?: Record<string, TestDataset[string] | undefined>;
}

/** A small valid CT slice, changed as asked. */
export function makeDicomFile(options: TestFileOptions = {}): TestFile {
  const { studyUid = newUid(), seriesUid = newUid(), sopUid = newUid() } = options;
  const transferSyntax = options.transferSyntax ?? EXPLICIT_LE;
  const encoding = encodingOf(transferSyntax);
  const us = (value: number) => uint16(value, encoding);
  const elements: Record<string, TestDataset[string] | undefined> = {
    '00080016': ['UI', CT_IMAGE],
    '00080018': ['UI', sopUid],
    '00080020': ['DA', '20240131'],
    '00080030': ['TM', '101500'],
    '00080050': ['SH', 'ACC1'],
    '00080060': ['CS', 'CT'],
    '00080090': ['PN', ''],
    '00100010': ['PN', 'Doe^Jane'],
    '00100020': ['LO', 'P1'],
    '00100030': ['DA', '19700101'],
    '00100040': ['CS', 'F'],
    '0020000D': ['UI', studyUid],
    '0020000E': ['UI', seriesUid],
    '00200010': ['SH', '1'],
    '00200011': ['IS', '1'],
    '00200013': ['IS', '1'],
    '00280002': ['US', us(1)],
    '00280010': ['US', us(4)],
    '00280011': ['US', us(4)],
    '00280100': ['US', us(16)],
    '7FE00010': ['OW', Buffer.alloc(32, 7)],
    ...options.elements,
  };
  const dataset: TestDataset = {};
  for (const tag of Object.keys(elements).sort()) {
    const element = elements[tag];
    if (element) dataset[tag] = element;
  }
  const body = encodeDataset(dataset, encoding);
  const bytes = Buffer.concat([
    fileMeta(sopUid, transferSyntax),
    transferSyntax === DEFLATED ? deflateRawSync(body) : body,
  ]);
  return { studyUid, seriesUid, sopUid, bytes };
}

/** Preamble, DICM and file meta information (PS3.10 7.1). */
export function fileMeta(sopUid: string, transferSyntax: string): Buffer {
  const encoding = encodingOf(EXPLICIT_LE);
  const meta = encodeDataset(
    {
      '00020001': ['OB', Buffer.from([0, 1])],
      '00020002': ['UI', CT_IMAGE],
      '00020003': ['UI', sopUid],
      '00020010': ['UI', transferSyntax],
      '00020012': ['UI', '2.25.1'],
    },
    encoding,
  );
  const groupLength = encodeElement('00020000', 'UL', uint32(meta.length, encoding), encoding);
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), groupLength, meta]);
}

/** A sequence `depth` levels deep. */
export function nestedSequence(depth: number): TestDataset[string] {
  let innermost: TestDataset = { '00080104': ['LO', 'deep'] };
  for (let level = 1; level < depth; level++) innermost = { '0040A730': ['SQ', [innermost]] };
  return ['SQ', [innermost]];
}
