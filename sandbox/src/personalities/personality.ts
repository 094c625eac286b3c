import type { InstanceUids } from '../archive.js';
import type { Level } from '../attributes.js';
import type { Attributes } from '../dicom-json.js';
import type { HttpError } from '../http-answers.js';

export const PERSONALITY_NAMES = ['orthanc', 'dcm4chee', 'azure', 'google', 'aws'] as const;
export type PersonalityName = (typeof PERSONALITY_NAMES)[number];

/** An instance that is refused. Without `instance` its entry in FailedSOPSequence names no UID. */
export interface Refused {
  kind: 'failed';
  instance?: string | undefined;
  sopClass?: string | undefined;
  /** Failure Reason (0008,1197). */
  reason: number;
  /** Error Comment (0000,0902), where the archive gives one. */
  comment?: string;
}

/** What an archive makes of a part before it stores it. */
export type Verdict =
  | { kind: 'accepted'; uids: InstanceUids; sopClass: string }
  | Refused
  /** Counts for the status but is named nowhere. */
  | { kind: 'unreadable' }
  /** Neither this part nor any behind it is looked at, and the answer is as if they had not been sent. */
  | { kind: 'stop'; uids?: Partial<InstanceUids> }
  /** The request ends with this error, whatever was stored before. */
  | { kind: 'abort'; error: HttpError };

/** What became of a part. */
export type Outcome = Exclude<Verdict, { kind: 'accepted' }> | Stored;

export interface Stored {
  kind: 'stored';
  uids: InstanceUids;
  sopClass: string;
}

export interface TextAnswer {
  status: number;
  /** A Content-Type is not a matter of course: Orthanc's errors come without. */
  headers: Record<string, string>;
  body: string;
}

/** What becomes of an instance that is held already and comes again. */
export type Duplicate =
  /** The old content stays, and it is a success. */
  | { kind: 'kept' }
  /** The old content stays, and it is a failure. */
  | { kind: 'refused'; reason: number; comment?: string }
  /** The new content takes the old one's place, and it is a success. */
  | { kind: 'replaced' };

/** How an archive searches. */
export interface SearchWays {
  /** Rows of an answer at this level: how many where none are asked for, and the most. */
  rows(level: Level): { usual: number; most: number };
  /** What becomes of a limit above the most: it is cut down to it, or the search is answered with 400. */
  readonly aboveMost: 'cut' | 'refuse';
  /** A larger offset is answered with 400. */
  readonly mostOffset: number;
  /** What came last stands first: pages shift while something is stored. */
  readonly newestFirst: boolean;
  /** Rows of series and instances have the attributes and UIDs of the levels above. */
  readonly namesParents: boolean;
}

/** Searches without bounds of their own. */
export const UNBOUNDED: SearchWays = {
  rows: () => ({ usual: Infinity, most: Infinity }),
  aboveMost: 'cut',
  mostOffset: Infinity,
  newestFirst: false,
  namesParents: true,
};

/** How one kind of archive behaves where archives differ. */
export interface Personality {
  readonly name: PersonalityName;
  /** Path of its DICOMweb root, without a slash at the end. */
  readonly root: string;
  /** Takes no other part type than the bare `application/dicom` and stops at another, with success. */
  readonly stopsAtOtherParts: boolean;
  /** Each part is stored as it comes; otherwise nothing is before the whole body is there. */
  readonly storesPartByPart: boolean;
  /** Files get a new file meta information, so what comes back is not what was sent. */
  readonly rewritesFileMeta: boolean;
  /** Answers 406 when the Accept header allows no DICOM JSON. */
  readonly checksAccept: boolean;
  /** Where no credentials are asked for, answers 403 to a request that brings some. */
  readonly forbidsCredentials: boolean;
  /** Status of a search that finds nothing; 204 has no body. */
  readonly nothingFound: 200 | 204;
  readonly duplicate: Duplicate;
  /**
   * An instance whose patient or study details contradict those of its study here is said to be stored, and neither
   * searches nor retrievals ever show it.
   */
  readonly hidesConflicts: boolean;
  readonly search: SearchWays;
  /** As what a single instance is retrieved; without `multipart`, studies and series are not. */
  readonly instancesAs: ReadonlyArray<'multipart' | 'single part'>;
  /** A STOW request with more bytes is answered with 413. */
  readonly mostRequestBytes: number;
  /**
   * Judges a part by its header.
   *
   * @param header - undefined when the part is not DICOM that can be read
   * @param expectedStudy - the study the address names
   */
  judge(header: Attributes | undefined, expectedStudy: string | undefined): Verdict;
  /** The answer to a STOW request; `root` is the DICOMweb root as the client addressed it. */
  stowAnswer(outcomes: readonly Outcome[], root: string): TextAnswer;
  errorAnswer(error: HttpError, request: { method: string; path: string }): TextAnswer;
}
