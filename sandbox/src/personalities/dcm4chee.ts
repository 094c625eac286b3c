import { randomBytes } from 'node:crypto';
import {
  PATIENT_ID,
  RETRIEVE_URL,
  SERIES_INSTANCE_UID,
  SOP_CLASS_UID,
  SOP_INSTANCE_UID,
  STUDY_INSTANCE_UID,
  textOf,
} from '../attributes.js';
import { type Attributes, stringify } from '../dicom-json.js';
import { HttpError } from '../http-answers.js';
import { type Outcome, type Personality, type Refused, UNBOUNDED, type Verdict } from './personality.js';
import { commonStudyUrl, filledSequences, standardStatus } from './stow-sequences.js';

/** dcm4chee-arc's `StoreService.PATIENT_ID_MISSING_IN_OBJECT`. */
export const PATIENT_ID_MISSING = 0xa777;
/** Data Set does not match SOP Class: dcm4chee's for UIDs that are missing or another study's. */
const DATA_SET_DOES_NOT_MATCH = 0xa900;
const PROCESSING_FAILURE = 0x0110;
const ERROR_COMMENT = '00000902';

/** What is answered to a part that cannot be read: an entry under an invented UID, or 500 for the whole request. */
export const UNREADABLE_MODES = ['invent', 'error'] as const;
export type UnreadableMode = (typeof UNREADABLE_MODES)[number];

/** dcm4chee-arc-light, as its `StowRS`, `StoreService` and conformance statement have it. */
export function dcm4chee(aet: string, unreadable: UnreadableMode): Personality {
  return {
    name: 'dcm4chee',
    root: `/dcm4chee-arc/aets/${encodeURIComponent(aet)}/rs`,
    stopsAtOtherParts: false,
    storesPartByPart: true,
    rewritesFileMeta: true,
    checksAccept: true,
    forbidsCredentials: true,
    nothingFound: 204,
    // Overwrite policy SAME_SOURCE: what is held stays as it is, and its being sent again is a success.
    duplicate: { kind: 'kept' },
    hidesConflicts: false,
    search: UNBOUNDED,
    instancesAs: ['multipart'],
    mostRequestBytes: Infinity,
    judge: (header, expectedStudy) => judge(header, expectedStudy, unreadable),
    stowAnswer,
    errorAnswer({ status, message }) {
      if (status >= 500) return { status, headers: { 'Content-Type': 'text/plain' }, body: message };
      const body = JSON.stringify({ errorMessage: message });
      return { status, headers: { 'Content-Type': 'application/json' }, body };
    },
  };
}

function stowAnswer(outcomes: readonly Outcome[], root: string) {
  const lastComment = outcomes.findLast((each): each is Refused => each.kind === 'failed')?.comment;
  const url = commonStudyUrl(outcomes, root);
  return {
    status: standardStatus(outcomes),
    headers: {
      'Content-Type': 'application/dicom+json',
      // One for all failures: each overwrites the one before.
      ...(lastComment && { Warning: `299 dcm4chee-arc "${lastComment}"` }),
    },
    body: stringify({
      ...(lastComment && { [ERROR_COMMENT]: { vr: 'LO', Value: [lastComment] } }),
      ...(url && { [RETRIEVE_URL]: { vr: 'UR', Value: [url] } }),
      ...filledSequences(outcomes, root),
    }),
  };
}

function judge(
  header: Attributes | undefined,
  expectedStudy: string | undefined,
  unreadable: UnreadableMode,
): Verdict {
  if (!header) {
    const what = 'org.dcm4che3.io.DicomStreamException: Not a DICOM Stream';
    if (unreadable === 'error') return { kind: 'abort', error: HttpError.serverFailure(what) };
    return { kind: 'failed', instance: inventUid(), reason: PROCESSING_FAILURE, comment: what };
  }
  const sopClass = textOf(header, SOP_CLASS_UID);
  const instance = textOf(header, SOP_INSTANCE_UID);
  const study = textOf(header, STUDY_INSTANCE_UID);
  const series = textOf(header, SERIES_INSTANCE_UID);
  const refused = (reason: number, comment: string): Refused => ({
    kind: 'failed',
    instance: instance || inventUid(),
    sopClass: sopClass || undefined,
    reason,
    comment,
  });
  if (!study) return refused(DATA_SET_DOES_NOT_MATCH, 'Missing StudyInstanceUID (0020,000D)');
  if (!series) return refused(DATA_SET_DOES_NOT_MATCH, 'Missing SeriesInstanceUID (0020,000E)');
  if (!instance) return refused(DATA_SET_DOES_NOT_MATCH, 'Missing SOPInstanceUID (0008,0018)');
  if (!sopClass) return refused(DATA_SET_DOES_NOT_MATCH, 'Missing SOPClassUID (0008,0016)');
  if (expectedStudy !== undefined && study !== expectedStudy) {
    return refused(DATA_SET_DOES_NOT_MATCH, 'Study Instance UID of the object is not that of the address');
  }
  if (!textOf(header, PATIENT_ID)) {
    return refused(PATIENT_ID_MISSING, 'Storage denied as Patient ID missing in object');
  }
  return { kind: 'accepted', uids: { study, series, instance }, sopClass };
}

/** A UID nobody has sent, below the UUID-derived root (PS3.5 B.2). */
export function inventUid(): string {
  return `2.25.${BigInt(`0x${randomBytes(16).toString('hex')}`)}`;
}
