/**
 * DICOM files made by code, for the tests and measurements of every package: no patient's data, any size, any
 * encoding, and broken in any way that is asked for. `makeSlice` is for tests that need a valid image;
 * `buildDicom` is for those that care how it is written.
 */
import { deflateSync } from 'fflate';
import type { DicomElement } from '../encode.js';
import { concatBytes, encodeElements } from '../encode.js';
import { EXPLICIT_LITTLE } from '../encoding.js';
import { TAG } from '../tags.js';
import { describeTransferSyntax, EXPLICIT_VR_LITTLE_ENDIAN } from '../transfer-syntax.js';

export type { DicomElement, Fragments, Items } from '../encode.js';

export const CT_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.2';
export const SECONDARY_CAPTURE_STORAGE = '1.2.840.10008.5.1.4.1.1.7';

/** What a slice is about. Dates and times are in DICOM form (`20260105`, `101500`). */
export interface SliceOptions {
  /** New for each slice by default. */
  sopInstanceUid?: string;
  /** New for each slice by default: give the same one to the slices of a study. */
  studyInstanceUid?: string;
  seriesInstanceUid?: string;
  sopClassUid?: string;
  patientName?: string;
  patientId?: string;
  patientBirthDate?: string;
  patientSex?: string;
  studyDate?: string;
  studyTime?: string;
  studyDescription?: string;
  seriesDescription?: string;
  accessionNumber?: string;
  modality?: string;
  institutionName?: string;
  seriesNumber?: number;
  instanceNumber?: number;
  rows?: number;
  columns?: number;
  /** Default 16. */
  bitsAllocated?: number;
  /** 1 (MONOCHROME2) or 3 (RGB); default 1. */
  samplesPerPixel?: number;
  /** Default 1, and then left out. */
  frames?: number;
}

/** How a file is written, and in what it is broken. */
export interface DicomOptions extends SliceOptions {
  /** Explicit VR Little Endian by default; the pixel data is encapsulated for a compressed one. */
  transferSyntaxUid?: string;
  /** Elements to add; one with a tag that is there already takes its place. */
  elements?: readonly DicomElement[];
  /** Tags to leave out. */
  omit?: readonly number[];
  /** Depth of a chain of nested sequences to add (Content Sequence). */
  nesting?: number;
  /** Write that chain with undefined lengths (the default) or defined ones. */
  nestingLengths?: 'undefined' | 'defined';
  /** Pixel data instead of the made one; `null` for none. */
  pixels?: Uint8Array | null;
  /** Length to write for native pixel data instead of the right one. */
  declaredPixelLength?: number;
  /** Frames for a compressed syntax, in place of made ones that no decoder can read. */
  fragments?: readonly Uint8Array[];
  /** Leave out the end of the encapsulated pixel data. */
  unclosed?: boolean;
  /** 128 bytes; `null` leaves out preamble and prefix. */
  preamble?: Uint8Array | null;
  /** Values of the File Meta Information in place of the right ones; `null` leaves it out. */
  meta?: MetaOptions | null;
  /** Bytes behind the data set. */
  trailing?: Uint8Array;
  /** Cut the file to this many bytes. */
  truncateTo?: number;
}

export interface MetaOptions {
  sopClassUid?: string;
  sopInstanceUid?: string;
  /** `null` leaves the element out. */
  transferSyntaxUid?: string | null;
  /** `null` leaves the element out. */
  groupLength?: number | null;
}

/** A new UID from a random UUID (PS3.5 §B.2). */
export function newUid(): string {
  return `2.25.${BigInt(`0x${crypto.randomUUID().replaceAll('-', '')}`)}`;
}

/** A valid CT slice in Explicit VR Little Endian; 64 × 64 pixels unless told otherwise. */
export function makeSlice(options: SliceOptions = {}): Uint8Array {
  return buildDicom(options);
}

/** A DICOM file, valid unless the options break it. */
export function buildDicom(options: DicomOptions = {}): Uint8Array {
  const { transferSyntaxUid = EXPLICIT_VR_LITTLE_ENDIAN } = options;
  const identity = {
    sopClassUid: options.sopClassUid ?? CT_IMAGE_STORAGE,
    sopInstanceUid: options.sopInstanceUid ?? newUid(),
  };
  const syntax = describeTransferSyntax(transferSyntaxUid);
  const elements = datasetElements(options, identity, syntax.encapsulated === true);
  const encoded = encodeElements(elements, syntax.encoding);
  const dataset = concatBytes([encoded, options.trailing ?? new Uint8Array(0)]);
  const preamble =
    options.preamble === null
      ? []
      : [options.preamble ?? new Uint8Array(128), new TextEncoder().encode('DICM')];
  const meta = options.meta === null ? [] : [encodeMeta({ ...identity, transferSyntaxUid, ...options.meta })];
  const file = concatBytes([...preamble, ...meta, syntax.deflated ? deflateSync(dataset) : dataset]);
  return options.truncateTo === undefined ? file : file.subarray(0, options.truncateTo);
}

function encodeMeta(meta: MetaOptions): Uint8Array {
  const optional = (tag: number, value: string | null | undefined): DicomElement[] =>
    value === null || value === undefined ? [] : [{ tag, vr: 'UI', value }];
  const body = encodeElements(
    [
      { tag: 0x00020001, vr: 'OB', value: Uint8Array.of(0, 1) },
      ...optional(TAG.mediaStorageSopClassUid, meta.sopClassUid),
      ...optional(TAG.mediaStorageSopInstanceUid, meta.sopInstanceUid),
      ...optional(TAG.transferSyntaxUid, meta.transferSyntaxUid),
      { tag: TAG.implementationClassUid, vr: 'UI', value: '2.25.281474976710655' },
    ],
    EXPLICIT_LITTLE,
  );
  if (meta.groupLength === null) return body;
  const groupLength = meta.groupLength ?? body.length;
  const head = encodeElements([{ tag: TAG.metaGroupLength, vr: 'UL', value: groupLength }], EXPLICIT_LITTLE);
  return concatBytes([head, body]);
}

function datasetElements(
  options: DicomOptions,
  identity: { sopClassUid: string; sopInstanceUid: string },
  encapsulated: boolean,
): DicomElement[] {
  const { frames = 1, samplesPerPixel = 1, bitsAllocated = 16, nesting = 0 } = options;
  const elements = new Map<number, DicomElement>();
  const put = (tag: number, vr: string, value: DicomElement['value']) =>
    elements.set(tag, { tag, vr, value });
  put(TAG.specificCharacterSet, 'CS', 'ISO_IR 192');
  put(TAG.sopClassUid, 'UI', identity.sopClassUid);
  put(TAG.sopInstanceUid, 'UI', identity.sopInstanceUid);
  put(TAG.studyDate, 'DA', options.studyDate ?? '20260105');
  put(TAG.studyTime, 'TM', options.studyTime ?? '101500');
  put(TAG.accessionNumber, 'SH', options.accessionNumber ?? 'ACC-1');
  put(TAG.modality, 'CS', options.modality ?? 'CT');
  put(TAG.institutionName, 'LO', options.institutionName ?? 'Test Clinic');
  put(TAG.studyDescription, 'LO', options.studyDescription ?? 'Test study');
  put(TAG.seriesDescription, 'LO', options.seriesDescription ?? 'Test series');
  put(TAG.patientName, 'PN', options.patientName ?? 'Test^Patient');
  put(TAG.patientId, 'LO', options.patientId ?? 'TEST-1');
  put(TAG.patientBirthDate, 'DA', options.patientBirthDate ?? '19700101');
  put(TAG.patientSex, 'CS', options.patientSex ?? 'O');
  put(TAG.studyInstanceUid, 'UI', options.studyInstanceUid ?? newUid());
  put(TAG.seriesInstanceUid, 'UI', options.seriesInstanceUid ?? newUid());
  put(TAG.seriesNumber, 'IS', String(options.seriesNumber ?? 1));
  put(TAG.instanceNumber, 'IS', String(options.instanceNumber ?? 1));
  put(TAG.samplesPerPixel, 'US', samplesPerPixel);
  put(TAG.photometricInterpretation, 'CS', samplesPerPixel === 3 ? 'RGB' : 'MONOCHROME2');
  if (samplesPerPixel > 1) put(0x00280006, 'US', 0); // Planar Configuration
  if (frames > 1) put(TAG.numberOfFrames, 'IS', String(frames));
  put(TAG.rows, 'US', options.rows ?? 64);
  put(TAG.columns, 'US', options.columns ?? 64);
  put(TAG.bitsAllocated, 'US', bitsAllocated);
  put(0x00280101, 'US', bitsAllocated === 16 ? 12 : bitsAllocated); // Bits Stored
  put(0x00280102, 'US', bitsAllocated === 16 ? 11 : bitsAllocated - 1); // High Bit
  put(0x00280103, 'US', 0); // Pixel Representation
  if (nesting > 0) elements.set(CONTENT_SEQUENCE, nestedSequence(nesting, options.nestingLengths));
  if (options.pixels !== null) elements.set(TAG.pixelData, pixelElement(options, encapsulated));
  for (const element of options.elements ?? []) elements.set(element.tag, element);
  for (const tag of options.omit ?? []) elements.delete(tag);
  return [...elements.values()].sort((a, b) => a.tag - b.tag);
}

const CONTENT_SEQUENCE = 0x0040a730;

function nestedSequence(depth: number, lengths: DicomOptions['nestingLengths'] = 'undefined'): DicomElement {
  let content: DicomElement[] = [{ tag: 0x0040a160, vr: 'UT', value: 'innermost' }];
  for (let level = 0; level < depth; level += 1) {
    const value = { items: [content], undefinedLength: lengths === 'undefined' };
    content = [{ tag: CONTENT_SEQUENCE, vr: 'SQ', value }];
  }
  return content[0] ?? { tag: CONTENT_SEQUENCE, vr: 'SQ', value: { items: [] } };
}

function pixelElement(options: DicomOptions, encapsulated: boolean): DicomElement {
  const { frames = 1, rows = 64, columns = 64, samplesPerPixel = 1, bitsAllocated = 16 } = options;
  const tag = TAG.pixelData;
  if (encapsulated && options.pixels === undefined) {
    const made = Array.from({ length: frames }, (_, frame) => standInFrame(frame));
    const fragments = [new Uint8Array(0), ...(options.fragments ?? made)];
    return { tag, vr: 'OB', value: { fragments, unclosed: options.unclosed ?? false } };
  }
  const length = Math.ceil((rows * columns * samplesPerPixel * bitsAllocated * frames) / 8);
  const value = options.pixels ?? madePixels(length, options.instanceNumber ?? 1);
  return {
    tag,
    vr: bitsAllocated > 8 ? 'OW' : 'OB',
    value,
    ...(options.declaredPixelLength === undefined ? {} : { declaredLength: options.declaredPixelLength }),
  };
}

/** A ramp that differs from one instance to the next, so that mixed up slices have different checksums. */
function madePixels(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const period = Math.min(length, 4096);
  for (let i = 0; i < period; i += 1)
    bytes[i] = i % 2 === 0 ? (i / 2 + seed * 7) & 0xff : (seed + i / 512) & 0x0f;
  for (let filled = period; filled < length; filled *= 2) bytes.copyWithin(filled, 0, filled);
  return bytes;
}

/** Start and end of a JPEG image with nothing sensible between: enough where only the encapsulation matters. */
function standInFrame(frame: number): Uint8Array {
  const bytes = new Uint8Array(256).fill(frame & 0x7f);
  bytes.set([0xff, 0xd8], 0);
  bytes.set([0xff, 0xd9], bytes.length - 2);
  return bytes;
}
