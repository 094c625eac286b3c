import {
  RETRIEVE_URL,
  SERIES_INSTANCE_UID,
  SOP_CLASS_UID,
  SOP_INSTANCE_UID,
  STUDY_INSTANCE_UID,
  textOf,
} from '../attributes.js';
import { type Attributes, stringify } from '../dicom-json.js';
import type { Outcome, Personality, Refused, Verdict } from './personality.js';
import {
  commonStudyUrl,
  FAILED_SOP_SEQUENCE,
  itemsOf,
  REFERENCED_SOP_SEQUENCE,
  sequence,
} from './stow-sequences.js';

/** Failure Reason (0008,1197): Processing failure, Google's for whatever went wrong. */
const PROCESSING_FAILURE = 272;
/** Google's private elements: their creator, and FailureDetailJSON, in words what went wrong. */
const PRIVATE_CREATOR = '00090010';
const FAILURE_DETAIL_JSON = '00091097';

/** google.rpc.Code by HTTP status, as Google's APIs name them (https://cloud.google.com/apis/design/errors). */
const CODES: Record<number, string> = {
  400: 'INVALID_ARGUMENT',
  404: 'NOT_FOUND',
  406: 'INVALID_ARGUMENT',
  413: 'INVALID_ARGUMENT',
  415: 'INVALID_ARGUMENT',
};

/**
 * The DICOM stores of Google's Cloud Healthcare API, as its conformance statement has them:
 * https://docs.cloud.google.com/healthcare-api/docs/dicom (read as of 2026-04-14) and
 * https://cloud.google.com/healthcare-api/quotas.
 *
 * - Store: 200 all stored, **409 as soon as one is not** (no 202); an instance whose three UIDs are held already is a
 *   processing failure (272) with "already exists" in its FailureDetailJSON. GoogleCloudPlatform/healthcare-api-dicom-fuse
 *   issue 20 (2019) found one with the same bytes to be a success; the statement, which is newer, is played.
 * - Requests may be of any size.
 * - Search: 1,000 instances where no limit is given and 50,000 at most, studies and series 100 and 5,000; offset up to
 *   1,000,000; rows of instances have attributes of instances alone; 200 is the one status of a search that worked.
 * - Retrieve: also single part, which is no DICOMweb.
 *
 * Not documented, and so as PS3.18 has it or as near as can be: the VR of FailureDetailJSON, that its entry names the
 * instance, that a limit above the most is cut down, and 404 for what is not there.
 */
export const GOOGLE: Personality = {
  name: 'google',
  root: '/v1/projects/sandbox/locations/sandbox/datasets/sandbox/dicomStores/sandbox/dicomWeb',
  stopsAtOtherParts: false,
  storesPartByPart: false,
  rewritesFileMeta: false,
  checksAccept: true,
  forbidsCredentials: false,
  nothingFound: 200,
  duplicate: { kind: 'refused', reason: PROCESSING_FAILURE, comment: 'already exists' },
  hidesConflicts: false,
  search: {
    rows: (level) => (level === 'instance' ? { usual: 1000, most: 50_000 } : { usual: 100, most: 5000 }),
    aboveMost: 'cut',
    mostOffset: 1_000_000,
    newestFirst: false,
    namesParents: false,
  },
  instancesAs: ['multipart', 'single part'],
  mostRequestBytes: Infinity,
  judge,
  stowAnswer(outcomes, root) {
    const url = commonStudyUrl(outcomes, root);
    const { stored } = itemsOf(outcomes, root);
    const failed = outcomes.filter((each): each is Refused => each.kind === 'failed');
    const allStored = outcomes.length > 0 && outcomes.every(({ kind }) => kind === 'stored');
    return {
      status: allStored ? 200 : 409,
      headers: { 'Content-Type': 'application/dicom+json' },
      body: stringify({
        ...(url && { [RETRIEVE_URL]: { vr: 'UR', Value: [url] } }),
        ...(failed.length > 0 && { [FAILED_SOP_SEQUENCE]: sequence(failed.flatMap(failedItem(root))) }),
        ...(stored.length > 0 && { [REFERENCED_SOP_SEQUENCE]: sequence(stored) }),
      }),
    };
  },
  errorAnswer({ status, message }) {
    const error = { code: status, message, status: CODES[status] ?? 'UNKNOWN' };
    return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ error }) };
  },
};

/** An entry of FailedSOPSequence, with what Google adds in words. */
function failedItem(root: string): (refused: Refused) => Attributes[] {
  return (refused) =>
    itemsOf([refused] satisfies Outcome[], root).failed.map((item) => ({
      ...item,
      [PRIVATE_CREATOR]: { vr: 'LO', Value: ['GOOGLE'] },
      [FAILURE_DETAIL_JSON]: { vr: 'LT', Value: [refused.comment ?? 'invalid DICOM file'] },
    }));
}

function judge(header: Attributes | undefined, expectedStudy: string | undefined): Verdict {
  if (!header) return { kind: 'failed', reason: PROCESSING_FAILURE };
  const sopClass = textOf(header, SOP_CLASS_UID);
  const instance = textOf(header, SOP_INSTANCE_UID);
  const study = textOf(header, STUDY_INSTANCE_UID);
  const series = textOf(header, SERIES_INSTANCE_UID);
  const refused = (comment: string): Refused => ({
    kind: 'failed',
    instance: instance || undefined,
    sopClass: sopClass || undefined,
    reason: PROCESSING_FAILURE,
    comment,
  });
  if (!sopClass || !instance || !study || !series) return refused('missing UID');
  if (expectedStudy !== undefined && study !== expectedStudy) return refused('another study');
  return { kind: 'accepted', uids: { study, series, instance }, sopClass };
}
