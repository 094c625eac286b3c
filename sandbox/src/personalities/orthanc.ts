import { STATUS_CODES } from 'node:http';
import {
  RETRIEVE_URL,
  SERIES_INSTANCE_UID,
  SOP_CLASS_UID,
  SOP_INSTANCE_UID,
  SPECIFIC_CHARACTER_SET,
  STUDY_INSTANCE_UID,
  textOf,
} from '../attributes.js';
import { type Attributes, stringify } from '../dicom-json.js';
import { retrieveUrl } from '../http-answers.js';
import { type Outcome, type Personality, UNBOUNDED, type Verdict } from './personality.js';
import {
  FAILED_SOP_SEQUENCE,
  itemsOf,
  REFERENCED_SOP_SEQUENCE,
  sequence,
  standardStatus,
} from './stow-sequences.js';

/** Failure Reason (0008,1197): Processing failure (PS3.18 table 10.5.3-1), Orthanc's for a study that is not the URL's. */
const OTHER_STUDY = 0x0110;
/** Failure Reason (0008,1197): Cannot understand. */
const CANNOT_UNDERSTAND = 0xc000;

/** Orthanc 1.10.1 with DICOMweb 1.7, as measured. */
export const ORTHANC: Personality = {
  name: 'orthanc',
  root: '/dicom-web',
  stopsAtOtherParts: true,
  storesPartByPart: false,
  rewritesFileMeta: false,
  checksAccept: false,
  forbidsCredentials: false,
  nothingFound: 200,
  duplicate: { kind: 'kept' },
  hidesConflicts: false,
  search: UNBOUNDED,
  instancesAs: ['multipart'],
  mostRequestBytes: Infinity,
  judge,
  stowAnswer(outcomes, root) {
    const { stored, failed } = itemsOf(outcomes, root);
    const study = outcomes.map((each) => 'uids' in each && each.uids?.study).find((uid) => uid);
    const status = statusOf(outcomes);
    return {
      status,
      // Orthanc names no Content-Type unless all is well.
      headers: status === 200 ? { 'Content-Type': 'application/dicom+json' } : {},
      body: stringify({
        [SPECIFIC_CHARACTER_SET]: { vr: 'CS', Value: ['ISO_IR 192'] },
        ...(study && { [RETRIEVE_URL]: { vr: 'UR', Value: [retrieveUrl(root, { study })] } }),
        [FAILED_SOP_SEQUENCE]: sequence(failed),
        [REFERENCED_SOP_SEQUENCE]: sequence(stored),
      }),
    };
  },
  /** JSON without a Content-Type, which clients must cope with. */
  errorAnswer(error, { method, path }) {
    const answer = {
      ...(error.details && { Details: error.details }),
      HttpError: STATUS_CODES[error.status],
      HttpStatus: error.status,
      Message: error.message,
      Method: method,
      OrthancError: error.message,
      OrthancStatus: error.orthancStatus,
      Uri: path,
    };
    return { status: error.status, headers: {}, body: `${JSON.stringify(answer, null, 2)}\n` };
  },
};

function judge(header: Attributes | undefined, expectedStudy: string | undefined): Verdict {
  if (!header) return { kind: 'unreadable' };
  const sopClass = textOf(header, SOP_CLASS_UID);
  const instance = textOf(header, SOP_INSTANCE_UID);
  const study = textOf(header, STUDY_INSTANCE_UID);
  const series = textOf(header, SERIES_INSTANCE_UID);
  if (sopClass === undefined || instance === undefined) return { kind: 'unreadable' };
  if (expectedStudy !== undefined && study !== expectedStudy) {
    return { kind: 'failed', instance, sopClass, reason: OTHER_STUDY };
  }
  if (study === undefined || series === undefined) {
    return { kind: 'failed', instance, sopClass, reason: CANNOT_UNDERSTAND };
  }
  if (!instance || !study || !series) return { kind: 'stop', uids: { study } };
  return { kind: 'accepted', uids: { study, series, instance }, sopClass };
}

function statusOf(outcomes: readonly Outcome[]): number {
  const reasons = outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.reason : outcome.kind));
  if (reasons.includes('unreadable') || reasons.includes(CANNOT_UNDERSTAND)) return 400;
  if (reasons.includes(OTHER_STUDY)) return 409;
  // Failures of other reasons come only from fault switches.
  return outcomes.some(({ kind }) => kind === 'failed') ? standardStatus(outcomes) : 200;
}
