/**
 * Why an archive, or one file in it, is not taken. Codes are stable: they are stored, counted and translated, so a
 * code is never renamed. Messages are for clinicians and never hold names of files, which may be patient data.
 */
const ARCHIVE_REFUSALS = {
  ARCHIVE_DAMAGED: 'The archive is damaged and cannot be opened. Create it again.',
  ARCHIVE_TRUNCATED:
    'The archive was cut off before its first file was complete. Copy or create it again, then send it anew.',
  ARCHIVE_TOO_MANY_ENTRIES:
    'The archive holds more files than can be handled at once. Split it into smaller archives.',
  ARCHIVE_TOO_LARGE: 'The archive is too large to be opened safely. Split it into smaller archives.',
  ARCHIVE_SPLIT:
    'This is one part of an archive that was split into several files. Create a single archive and send that.',
  ARCHIVE_NESTED_TOO_DEEP:
    'There are archives inside of archives, several levels deep. Unpack them and send the files themselves.',
} as const;

const ENTRY_REFUSALS = {
  ENTRY_ENCRYPTED: 'The file is protected by a password. Create the archive again without one.',
  ENTRY_TRUNCATED: 'The file is cut off: the archive ends before the file does. Create the archive again.',
  ENTRY_DAMAGED: 'The file was damaged in the archive and cannot be unpacked. Create the archive again.',
  ENTRY_OVERLAPS:
    'The file shares its place in the archive with another one, as in archives made to do harm. Create it again.',
  ENTRY_PATH_UNSAFE:
    'The path of the file leads outside of the archive, or has no usable name. Create the archive again.',
  ENTRY_NAME_TOO_LONG:
    'The name of the file is too long, or it lies in too many folders. Shorten it and create the archive again.',
  ENTRY_METHOD_UNKNOWN:
    'The file is compressed in a way that cannot be read here. Create the archive again as an ordinary ZIP file.',
  ENTRY_RATIO:
    'The file would grow far more than any image does when unpacked, as in archives made to do harm. Send it unpacked.',
  ENTRY_TOO_LARGE: 'The unpacked archive would be too large. Split it into smaller archives.',
  ENTRY_MISMATCH:
    'The archive contradicts itself about the file, so it is unclear what is meant. Create the archive again.',
  GZIP_SEVERAL_MEMBERS:
    'The file is made up of several compressed pieces, or has stray data at its end. Unpack it and send the content.',
} as const;

export type ArchiveRefusalCode = keyof typeof ARCHIVE_REFUSALS;
export type EntryRefusalCode = keyof typeof ENTRY_REFUSALS;

/** The refusal of one file in an archive, or of one compressed file; the others are still taken. */
export interface EntryRefusal {
  /** Stable UPPER_SNAKE code. */
  code: EntryRefusalCode;
  /** What happened and what to do, in plain words. */
  message: string;
}

export function entryRefusal(code: EntryRefusalCode): EntryRefusal {
  return { code, message: ENTRY_REFUSALS[code] };
}

/** Tells a refusal from the result it came in place of. */
export function isEntryRefusal(value: object): value is EntryRefusal {
  return 'code' in value && typeof value.code === 'string' && value.code in ENTRY_REFUSALS;
}

/** An archive that is not taken at all. */
export class ArchiveRefusal extends Error {
  override readonly name = 'ArchiveRefusal';
  readonly code: ArchiveRefusalCode;

  /** `message` is the sentence for the user. */
  constructor(code: ArchiveRefusalCode) {
    super(ARCHIVE_REFUSALS[code]);
    this.code = code;
  }
}

/** Content that turned out to be damaged while it was read: a fault of the file, never of the storage. */
export class ContentDamaged extends Error {
  override readonly name = 'ContentDamaged';
  readonly refusal: EntryRefusal;

  /** `message` is the sentence for the user; `cause`, where there is one, is the decoder's error. */
  constructor(code: EntryRefusalCode = 'ENTRY_DAMAGED', options?: ErrorOptions) {
    super(ENTRY_REFUSALS[code], options);
    this.refusal = entryRefusal(code);
  }
}
