/**
 * What a scan can find wrong with a file. Codes are stable: they are stored, counted and translated, so a code
 * is never renamed. `needsRewrite` marks what must be edited before the object may be sent on (see repair.ts), and its
 * message reads as the log of that edit; without it the original bytes are delivered unchanged (a PACS accepts them as
 * they are: tried with Orthanc 1.10.1).
 */
interface FindingKind {
  tier: FindingTier;
  needsRewrite?: true;
  message: string;
}

/** `reject`: not delivered. `repair`: a known fault with a known cure. `warn`: delivered, worth a look. */
export type FindingTier = 'reject' | 'repair' | 'warn';

/** `{attribute}` in a message is replaced by the attribute's name. Messages never hold patient data. */
const CATALOGUE = {
  EMPTY_FILE: { tier: 'reject', message: 'The file is empty.' },
  NOT_DICOM: { tier: 'reject', message: 'This is not a DICOM file.' },
  DICOMDIR: {
    tier: 'reject',
    message:
      'This is a DICOMDIR, the table of contents of a disc, and not an image. Send the images beside it.',
  },
  MISSING_UID: {
    tier: 'reject',
    message: 'The {attribute} is missing, so the archive could not tell where the object belongs.',
  },
  INVALID_UID: { tier: 'reject', message: 'The {attribute} is not a valid DICOM identifier.' },
  AMBIGUOUS_UID: { tier: 'reject', message: 'The file holds two different values for the {attribute}.' },
  META_MISMATCH: {
    tier: 'reject',
    message: 'The file header describes a different object than the one in the file. Export the study again.',
  },
  ELEMENT_BEYOND_END: {
    tier: 'reject',
    message: 'The file ends too early: it was cut off while being copied, or is damaged. Export it again.',
  },
  MALFORMED_STRUCTURE: {
    tier: 'reject',
    message: 'The inner structure of the file is damaged and cannot be read reliably. Export it again.',
  },
  PIXEL_LENGTH: {
    tier: 'reject',
    message: 'The image data is shorter than the image size calls for: part of the image is missing.',
  },
  ZERO_DIMENSION: { tier: 'reject', message: 'The image has no rows or no columns.' },
  ENCAPSULATION_UNCLOSED: {
    tier: 'reject',
    message: 'The compressed image data is cut off or damaged. Export the file again.',
  },
  NESTING_TOO_DEEP: {
    tier: 'reject',
    message: 'The file nests its data more deeply than any real study does. It could crash an archive.',
  },
  DEFLATE_CORRUPT: {
    tier: 'reject',
    message: 'The compressed contents of the file are damaged and cannot be unpacked.',
  },
  INFLATE_LIMIT: {
    tier: 'reject',
    message: 'The compressed contents of the file grow beyond the size that is safe to unpack.',
  },
  HEADER_TOO_LARGE: { tier: 'reject', message: 'The header of the file is too large to be checked.' },
  TOO_MANY_ELEMENTS: { tier: 'reject', message: 'The file holds too many data elements to be checked.' },
  TOO_MANY_FRAGMENTS: {
    tier: 'reject',
    message: 'The image data is cut into too many pieces to be checked.',
  },
  SCAN_TIMEOUT: { tier: 'reject', message: 'Checking the file took too long.' },

  PREAMBLE_EXECUTABLE: {
    tier: 'repair',
    needsRewrite: true,
    message:
      'The file began like a program or a script. Its first 128 bytes, which hold no data, were cleared.',
  },
  NO_PREAMBLE: {
    tier: 'repair',
    message: 'The file lacks the usual DICOM file header; its contents are readable.',
  },
  PREAMBLE_CUT_OFF: {
    tier: 'repair',
    needsRewrite: true,
    message: 'The first 128 bytes of the file, which hold no data, were missing and were put back.',
  },
  UIDS_ABSENT: {
    tier: 'repair',
    needsRewrite: true,
    message: 'The image belonged to no study: it had no identifiers at all and was given new ones.',
  },
  TRANSFER_SYNTAX_MISMATCH: {
    tier: 'repair',
    needsRewrite: true,
    message: 'The file header named another encoding than the one the file is written in; it was corrected.',
  },
  META_GROUP_LENGTH_TOO_LONG: {
    tier: 'repair',
    needsRewrite: true,
    message:
      'The file header stated a length that reached into the data, so archives would have lost part of them; it was corrected.',
  },
  META_IMPLICIT_VR: {
    tier: 'repair',
    needsRewrite: true,
    message: 'The file header was written in an outdated way; it was written anew.',
  },
  META_DAMAGED: {
    tier: 'repair',
    needsRewrite: true,
    message: 'The file header was damaged, but not the data behind it; it was written anew.',
  },
  META_TRANSFER_SYNTAX_MISSING: {
    tier: 'repair',
    message: 'The file header does not say how the file is encoded; this was worked out from its contents.',
  },
  // Eight zero bytes pass for an empty element; Orthanc 1.10.1 refuses what is left of fewer.
  TRAILING_BYTES: {
    tier: 'repair',
    needsRewrite: true,
    message: 'A few stray bytes followed the end of the data and were cut off.',
  },
  META_SOP_INSTANCE_MISMATCH: {
    tier: 'repair',
    message: 'The file header names another instance than the data; the data is taken as right.',
  },
  META_SOP_CLASS_MISMATCH: {
    tier: 'repair',
    message: 'The file header names another kind of object than the data; the data is taken as right.',
  },

  PREAMBLE_NOT_EMPTY: { tier: 'warn', message: 'The first 128 bytes of the file hold unknown data.' },
  UNKNOWN_TRANSFER_SYNTAX: {
    tier: 'warn',
    message: 'The encoding of the image is not a known one; the archive may not be able to show it.',
  },
  PRIVATE_SOP_CLASS: {
    tier: 'warn',
    message: 'The object is of a kind only its manufacturer knows; the archive may refuse it.',
  },
  MISSING_ATTRIBUTE: { tier: 'warn', message: 'The {attribute} is missing or empty.' },
  NO_ACCESSION_NUMBER: { tier: 'warn', message: 'The accession number is missing or empty.' },
  INVALID_VALUE: { tier: 'warn', message: 'The {attribute} is not written as DICOM requires.' },
  VALUE_TOO_LONG: { tier: 'warn', message: 'The {attribute} is longer than DICOM allows.' },
  VALUE_MULTIPLICITY: {
    tier: 'warn',
    message: 'The {attribute} holds several values; the first one is used.',
  },
  UID_FORMAT: { tier: 'warn', message: 'The {attribute} is written in an unusual way.' },
  UID_VR_UNKNOWN: {
    tier: 'warn',
    message: 'The {attribute} is written without its data type; some archives refuse such an object.',
  },
  // A warning, no repair: readers find the end of the header by the group numbers. (The corpus calls relaylab
  // 20_wrong_group_length valid; Orthanc 1.10.1 stores it.)
  META_GROUP_LENGTH_WRONG: {
    tier: 'warn',
    message: 'The file header states a wrong length for itself; its contents are readable.',
  },
  UNKNOWN_VR: { tier: 'warn', message: 'Some data elements are of a type that DICOM does not know.' },
  DUPLICATE_ELEMENT: {
    tier: 'warn',
    message: 'A data element occurs twice; archives may differ in which of the two they use.',
  },
  ELEMENT_ORDER: { tier: 'warn', message: 'The data elements are not in the order DICOM requires.' },
  STRAY_DELIMITER: { tier: 'warn', message: 'The file holds an end mark where nothing ends.' },
  TRAILING_ZEROS: { tier: 'warn', message: 'There are empty bytes after the end of the data.' },
  CHARSET_UNKNOWN: { tier: 'warn', message: 'The file names a character set that DICOM does not know.' },
  CHARSET_SPELLING: {
    tier: 'warn',
    message: 'The character set is misspelt; it was taken for the one meant.',
  },
  CHARSET_UNDECLARED: {
    tier: 'warn',
    message: 'The {attribute} has characters outside of the declared character set; they may show wrongly.',
  },
  CHARSET_UNDECODABLE: { tier: 'warn', message: 'Some characters of the {attribute} cannot be read.' },
  PIXEL_LENGTH_LONG: { tier: 'warn', message: 'There is more image data than the image size calls for.' },
  PIXEL_DESCRIPTION_INCOMPLETE: {
    tier: 'warn',
    message: 'The description of the image data is incomplete, so its size could not be checked.',
  },
  PIXEL_ENCODING_DOUBTFUL: {
    tier: 'warn',
    message: 'The image data is not packed in the way the file header says.',
  },
  NO_PIXEL_DATA: { tier: 'warn', message: 'The file describes an image but holds no image data.' },
  FRAMES_MISSING: { tier: 'warn', message: 'There may be fewer compressed frames than the file announces.' },
} as const satisfies Record<string, FindingKind>;

export type FindingCode = keyof typeof CATALOGUE;

/** Codes of known faults with which an object goes as it came, because archives take it so. */
export const HARMLESS_FAULTS: ReadonlySet<string> = new Set(
  Object.entries<FindingKind>(CATALOGUE)
    .filter(([, { tier, needsRewrite }]) => tier === 'repair' && !needsRewrite)
    .map(([code]) => code),
);

export interface Finding {
  /** Stable UPPER_SNAKE code. */
  code: FindingCode;
  tier: FindingTier;
  /** A sentence a clinician understands; never holds patient data. */
  message: string;
  /** The object must be edited before it may be delivered. */
  needsRewrite: boolean;
  /** The element concerned, as `(gggg,eeee)`. */
  tag?: string;
  /** Byte offset in the file; in the inflated data set for a deflated one. */
  offset?: number;
}

export interface FindingPlace {
  tag?: number | undefined;
  /** Name of the attribute, for the message. */
  attribute?: string | undefined;
  offset?: number | undefined;
}

/** Tags are handled as 32-bit numbers, group in the upper half. */
export function formatTag(tag: number): string {
  const hex = tag.toString(16).padStart(8, '0').toUpperCase();
  return `(${hex.slice(0, 4)},${hex.slice(4)})`;
}

function makeFinding(code: FindingCode, place: FindingPlace = {}): Finding {
  const kind: FindingKind = CATALOGUE[code];
  return {
    code,
    tier: kind.tier,
    message: kind.message.replace('{attribute}', place.attribute ?? 'value of an element'),
    needsRewrite: kind.needsRewrite ?? false,
    ...(place.tag === undefined ? {} : { tag: formatTag(place.tag) }),
    ...(place.offset === undefined ? {} : { offset: place.offset }),
  };
}

/** Findings of one code that are kept; more tell nothing new, and a hostile file must not make the list grow. */
const MAX_PER_CODE = 16;

/** Collects the findings of one scan: each code once for a tag. */
export class FindingList {
  /** In the order in which they were made. */
  readonly all: Finding[] = [];
  readonly #tagsByCode = new Map<FindingCode, Set<number | undefined>>();

  add(code: FindingCode, place: FindingPlace = {}): void {
    const tags = this.#tagsByCode.get(code) ?? new Set();
    this.#tagsByCode.set(code, tags);
    if (tags.size >= MAX_PER_CODE || tags.has(place.tag)) return;
    tags.add(place.tag);
    this.all.push(makeFinding(code, place));
  }
}

/** Ends a scan with a `reject` finding. Thrown and caught inside of this folder only. */
export class ScanRejection extends Error {
  readonly code: FindingCode;
  readonly place: FindingPlace;

  constructor(code: FindingCode, place: FindingPlace = {}) {
    super(code);
    this.code = code;
    this.place = place;
  }
}
