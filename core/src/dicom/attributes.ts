import type { CapturedValue } from './captured.js';
import type { TextDecoding } from './charset.js';
import { textDecodingFor } from './charset.js';
import { decodeLatin1 } from './code-sets.js';
import { isoDate, isoTime } from './date-time.js';
import type { FindingCode, FindingList } from './findings.js';
import { TAG } from './tags.js';
import { judgeUid } from './uid.js';

/** What a study list, a receipt and the delivery need to know of an object. Absent and empty values are left out. */
export interface StudyAttributes {
  sopClassUid?: string;
  sopInstanceUid?: string;
  studyInstanceUid?: string;
  seriesInstanceUid?: string;
  /** Decoded, with the DICOM delimiters `^` and `=`; see `formatPersonName`. */
  patientName?: string;
  patientId?: string;
  /** `YYYY-MM-DD` */
  patientBirthDate?: string;
  patientSex?: string;
  /** `YYYY-MM-DD` */
  studyDate?: string;
  /** `HH:MM:SS` */
  studyTime?: string;
  studyId?: string;
  accessionNumber?: string;
  modality?: string;
  studyDescription?: string;
  seriesDescription?: string;
  seriesNumber?: number;
  instanceNumber?: number;
  bodyPartExamined?: string;
  referringPhysicianName?: string;
  institutionName?: string;
  manufacturer?: string;
  manufacturerModelName?: string;
  rows?: number;
  columns?: number;
  samplesPerPixel?: number;
  photometricInterpretation?: string;
  bitsAllocated?: number;
  numberOfFrames?: number;
  /** `YES` or `NO`: whether the pixels themselves name the patient. */
  burnedInAnnotation?: string;
  /** What kind of image, such as `['ORIGINAL', 'PRIMARY', 'LOCALIZER']`; the first 16 values. */
  imageType?: string[];
  acquisitionNumber?: number;
  /** Place in a series of points in time, as in a dynamic study. */
  temporalPositionIdentifier?: number;
  /** The first of the echoes an MR image was made of. */
  echoNumbers?: number;
  /** Centre of the first pixel in the patient's coordinates: x, y, z in mm (PS3.3 §C.7.6.2.1.1). */
  imagePositionPatient?: number[];
  /** Direction of a row (x, y, z), then of a column, in the patient's coordinates. */
  imageOrientationPatient?: number[];
  /** In mm. */
  sliceThickness?: number;
  /** Between the middles of two slices, in mm. */
  spacingBetweenSlices?: number;
  /** Instances that the sender says the study has; scanners and archives that write it do so at export. */
  numberOfStudyRelatedInstances?: number;
  numberOfSeriesRelatedInstances?: number;
}

type AttributeName = keyof StudyAttributes;
type AttributeValue = string | number | string[] | number[];
/** `code` is a coded string (CS), `decimal` a DS; the kinds in the plural may hold several values. */
type ValueKind =
  | 'uid'
  | 'code'
  | 'codes'
  | 'text'
  | 'name'
  | 'date'
  | 'time'
  | 'integer'
  | 'firstInteger'
  | 'decimal'
  | 'decimals'
  | 'unsigned';

interface AttributeRule {
  name: AttributeName;
  /** As a clinician would call it, for messages. */
  label: string;
  kind: ValueKind;
  /** Longest value in characters; for a name, of one component group (PS3.5 table 6.2-1). */
  maxLength?: number;
  /** How many numbers `decimals` must be. */
  count?: number;
  /** Type 1 or 2 in every composite object (PS3.3 §C.7.1.1, C.7.2.1, C.7.3.1): its absence is worth a warning. */
  expected?: true;
  /** What its absence is told as; default: `MISSING_ATTRIBUTE`. */
  missing?: FindingCode;
}

const RULES: ReadonlyMap<number, AttributeRule> = new Map<number, AttributeRule>([
  [TAG.sopClassUid, { name: 'sopClassUid', label: 'SOP Class UID', kind: 'uid' }],
  [TAG.sopInstanceUid, { name: 'sopInstanceUid', label: 'SOP Instance UID', kind: 'uid' }],
  [TAG.studyInstanceUid, { name: 'studyInstanceUid', label: 'Study Instance UID', kind: 'uid' }],
  [TAG.seriesInstanceUid, { name: 'seriesInstanceUid', label: 'Series Instance UID', kind: 'uid' }],
  [
    TAG.patientName,
    { name: 'patientName', label: 'patient name', kind: 'name', maxLength: 64, expected: true },
  ],
  [TAG.patientId, { name: 'patientId', label: 'patient ID', kind: 'text', maxLength: 64, expected: true }],
  [TAG.patientBirthDate, { name: 'patientBirthDate', label: 'date of birth', kind: 'date', expected: true }],
  [TAG.patientSex, { name: 'patientSex', label: 'patient sex', kind: 'code', maxLength: 16, expected: true }],
  [TAG.studyDate, { name: 'studyDate', label: 'study date', kind: 'date', expected: true }],
  [TAG.studyTime, { name: 'studyTime', label: 'study time', kind: 'time', expected: true }],
  [TAG.studyId, { name: 'studyId', label: 'study ID', kind: 'text', maxLength: 16 }],
  [
    TAG.accessionNumber,
    {
      name: 'accessionNumber',
      label: 'accession number',
      kind: 'text',
      maxLength: 16,
      expected: true,
      missing: 'NO_ACCESSION_NUMBER',
    },
  ],
  [TAG.modality, { name: 'modality', label: 'modality', kind: 'code', maxLength: 16, expected: true }],
  [
    TAG.studyDescription,
    { name: 'studyDescription', label: 'study description', kind: 'text', maxLength: 64 },
  ],
  [
    TAG.seriesDescription,
    { name: 'seriesDescription', label: 'series description', kind: 'text', maxLength: 64 },
  ],
  [TAG.seriesNumber, { name: 'seriesNumber', label: 'series number', kind: 'integer' }],
  [TAG.instanceNumber, { name: 'instanceNumber', label: 'instance number', kind: 'integer' }],
  [
    TAG.bodyPartExamined,
    { name: 'bodyPartExamined', label: 'body part examined', kind: 'code', maxLength: 16 },
  ],
  [
    TAG.referringPhysicianName,
    { name: 'referringPhysicianName', label: "referring physician's name", kind: 'name', maxLength: 64 },
  ],
  [TAG.institutionName, { name: 'institutionName', label: 'institution name', kind: 'text', maxLength: 64 }],
  [TAG.manufacturer, { name: 'manufacturer', label: 'manufacturer', kind: 'text', maxLength: 64 }],
  [
    TAG.manufacturerModelName,
    { name: 'manufacturerModelName', label: 'model name', kind: 'text', maxLength: 64 },
  ],
  [TAG.rows, { name: 'rows', label: 'number of rows', kind: 'unsigned' }],
  [TAG.columns, { name: 'columns', label: 'number of columns', kind: 'unsigned' }],
  [TAG.samplesPerPixel, { name: 'samplesPerPixel', label: 'samples per pixel', kind: 'unsigned' }],
  [
    TAG.photometricInterpretation,
    { name: 'photometricInterpretation', label: 'photometric interpretation', kind: 'code', maxLength: 16 },
  ],
  [TAG.bitsAllocated, { name: 'bitsAllocated', label: 'bits allocated', kind: 'unsigned' }],
  [TAG.numberOfFrames, { name: 'numberOfFrames', label: 'number of frames', kind: 'integer' }],
  [
    TAG.burnedInAnnotation,
    { name: 'burnedInAnnotation', label: 'burned in annotation', kind: 'code', maxLength: 16 },
  ],
  [TAG.imageType, { name: 'imageType', label: 'image type', kind: 'codes' }],
  [TAG.acquisitionNumber, { name: 'acquisitionNumber', label: 'acquisition number', kind: 'integer' }],
  [
    TAG.temporalPositionIdentifier,
    { name: 'temporalPositionIdentifier', label: 'temporal position', kind: 'integer' },
  ],
  [TAG.echoNumbers, { name: 'echoNumbers', label: 'echo number', kind: 'firstInteger' }],
  [
    TAG.imagePositionPatient,
    { name: 'imagePositionPatient', label: 'image position', kind: 'decimals', count: 3 },
  ],
  [
    TAG.imageOrientationPatient,
    { name: 'imageOrientationPatient', label: 'image orientation', kind: 'decimals', count: 6 },
  ],
  [TAG.sliceThickness, { name: 'sliceThickness', label: 'slice thickness', kind: 'decimal' }],
  [TAG.spacingBetweenSlices, { name: 'spacingBetweenSlices', label: 'slice spacing', kind: 'decimal' }],
  [
    TAG.numberOfStudyRelatedInstances,
    { name: 'numberOfStudyRelatedInstances', label: 'number of images in the study', kind: 'integer' },
  ],
  [
    TAG.numberOfSeriesRelatedInstances,
    { name: 'numberOfSeriesRelatedInstances', label: 'number of images in the series', kind: 'integer' },
  ],
]);

/** Image Type has 2 to 5 values in practice; a hostile one could have thousands. */
const MAX_CODES = 16;

/** The tags that `readAttributes` wants to see. */
export const ATTRIBUTE_TAGS: ReadonlySet<number> = new Set([TAG.specificCharacterSet, ...RULES.keys()]);

/**
 * Removes padding (PS3.5 §6.2: spaces, for UI a NUL) and control characters: none belongs in these values, and
 * PostgreSQL refuses a NUL in a text.
 */
function clean(text: string): string {
  return text.replace(/\p{Cc}/gu, ' ').trim();
}

/** The values of a text element of the default repertoire, without padding. */
export function plainValues(value: CapturedValue | undefined): string[] {
  return value === undefined || value.bytes.length === 0
    ? []
    : decodeLatin1(value.bytes).split('\\').map(clean);
}

/** A UID without the NUL it may be padded with, or the space it must not (PS3.5 §9.1); '' when it is absent. */
export function plainUid(value: CapturedValue | undefined): string {
  return value === undefined ? '' : trimEnd(decodeLatin1(value.bytes), '\0 ');
}

/**
 * Decodes what was captured from a data set.
 *
 * @param complete the data set was read to its end, so that what is absent is missing
 */
export function readAttributes(
  values: ReadonlyMap<number, CapturedValue>,
  complete: boolean,
  findings: FindingList,
): { attributes: StudyAttributes; characterSets: string[] } {
  const charsetElement = values.get(TAG.specificCharacterSet);
  const decoding = textDecodingFor(plainValues(charsetElement));
  if (decoding.problem !== undefined) {
    findings.add(decoding.problem === 'unknown' ? 'CHARSET_UNKNOWN' : 'CHARSET_SPELLING', {
      tag: TAG.specificCharacterSet,
      offset: charsetElement?.offset,
    });
  }
  const attributes: Partial<Record<AttributeName, AttributeValue>> = {};
  for (const [tag, rule] of RULES) {
    const captured = values.get(tag);
    const value = captured && decodeValue(tag, rule, captured, decoding, findings);
    if (value !== undefined && value !== '') attributes[rule.name] = value;
    else if (value === '' || captured === undefined) {
      if (complete && rule.expected) {
        findings.add(rule.missing ?? 'MISSING_ATTRIBUTE', { tag, attribute: rule.label });
      }
    }
  }
  return { attributes: attributes as StudyAttributes, characterSets: decoding.terms };
}

/** @returns '' for an empty value, `undefined` for one that cannot be used (and was reported) */
function decodeValue(
  tag: number,
  rule: AttributeRule,
  captured: CapturedValue,
  decoding: TextDecoding,
  findings: FindingList,
): AttributeValue | undefined {
  const place = { tag, attribute: rule.label, offset: captured.offset };
  if (rule.kind === 'unsigned') {
    const { bytes, littleEndian } = captured;
    if (bytes.length === 2) {
      return new DataView(bytes.buffer, bytes.byteOffset, 2).getUint16(0, littleEndian);
    }
    if (bytes.length > 0) findings.add('INVALID_VALUE', place);
    return undefined;
  }
  if (rule.kind === 'uid') {
    const uid = plainUid(captured);
    return judgeUid(uid) === 'invalid' ? undefined : uid; // the fault is reported with the other identifiers
  }
  const raw = decodeText(rule, captured, decoding, findings, place);
  if (rule.kind === 'codes' || rule.kind === 'decimals') {
    if (raw === '') return '';
    const list = rule.kind === 'codes' ? codes(raw) : decimals(raw, rule.count ?? 1);
    if (list === undefined) findings.add('INVALID_VALUE', place);
    return list;
  }
  const [value = '', ...others] = raw.split('\\').map(clean);
  const first = rule.kind === 'name' ? withoutEmptyComponents(value) : value;
  if (others.length > 0 && rule.kind !== 'firstInteger') findings.add('VALUE_MULTIPLICITY', place);
  if (first === '') return '';
  checkLength(rule, first, findings, place);
  const parsed = parseValue(rule.kind, first);
  if (parsed === undefined) findings.add('INVALID_VALUE', place);
  return parsed;
}

function decodeText(
  rule: AttributeRule,
  captured: CapturedValue,
  decoding: TextDecoding,
  findings: FindingList,
  place: { tag: number; attribute: string; offset: number },
): string {
  if (rule.kind !== 'text' && rule.kind !== 'name') return clean(decodeLatin1(captured.bytes));
  const { text, doubt } = decoding.decode(captured.bytes, rule.kind === 'name');
  if (doubt !== undefined) {
    findings.add(doubt === 'undeclared' ? 'CHARSET_UNDECLARED' : 'CHARSET_UNDECODABLE', place);
  }
  return clean(text);
}

function checkLength(
  rule: AttributeRule,
  value: string,
  findings: FindingList,
  place: { tag: number; attribute: string; offset: number },
): void {
  if (rule.maxLength === undefined) return;
  const parts = rule.kind === 'name' ? value.split('=') : [value];
  const longest = Math.max(...parts.map((part) => [...part].length));
  if (longest > rule.maxLength) findings.add('VALUE_TOO_LONG', place);
}

/** PS3.5 §6.2.1 lets delimiters of empty components at the end be left out; `^^^^` is no name at all. */
function withoutEmptyComponents(name: string): string {
  return trimEnd(
    name
      .split('=')
      .map((group) => trimEnd(group, '^ '))
      .join('='),
    '=',
  );
}

/** A loop, as a regular expression would take quadratic time for a hostile value. */
function trimEnd(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

function parseValue(kind: ValueKind, value: string): string | number | undefined {
  if (kind === 'date') return isoDate(value);
  if (kind === 'time') return isoTime(value);
  // PS3.5 §6.2: a code has no characters but those of the default repertoire.
  if (kind === 'code' && !isCode(value)) return undefined;
  if (kind === 'decimal') return decimal(value);
  return kind === 'integer' || kind === 'firstInteger' ? integer(value) : value;
}

function isCode(value: string): boolean {
  return /^[ -~]+$/.test(value);
}

function codes(raw: string): string[] | undefined {
  const values = raw.split('\\', MAX_CODES).map((value) => value.trim());
  return values.every((value) => value === '' || isCode(value)) ? values : undefined;
}

function decimals(raw: string, count: number): number[] | undefined {
  const values = raw.split('\\', count + 1);
  const numbers = values.map((value) => decimal(value.trim())).filter((number) => number !== undefined);
  return values.length === count && numbers.length === count ? numbers : undefined;
}

/** PS3.5 §6.2: a DS has up to 16 characters; writers exceed that with digits nobody needs. */
function decimal(value: string): number | undefined {
  if (value.length > 64 || !/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(value)) return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

/** PS3.5 §6.2: an IS fits into 32 bits. */
function integer(value: string): number | undefined {
  const number = /^[+-]?\d{1,11}$/.test(value) ? Number(value) : Number.NaN;
  return number >= -(2 ** 31) && number < 2 ** 31 ? number : undefined;
}
