import {
  RETRIEVE_URL,
  SERIES_INSTANCE_UID,
  SOP_CLASS_UID,
  SOP_INSTANCE_UID,
  STUDY_INSTANCE_UID,
  textOf,
} from '../attributes.js';
import { type Attributes, stringify } from '../dicom-json.js';
import type { Personality, Verdict } from './personality.js';
import { commonStudyUrl, filledSequences, standardStatus } from './stow-sequences.js';

/** The failure reasons of the DICOM service's conformance statement. */
const PROCESSING_FAILURE = 272;
const VALIDATION_FAILED = 43264;
const OTHER_STUDY = 43265;
const ALREADY_EXISTS = 45070;

/**
 * The DICOM service of Azure Health Data Services, as Microsoft's `dicom-server` and conformance statement v2 have it:
 * https://learn.microsoft.com/azure/healthcare-apis/dicom/dicom-services-conformance-statement-v2 (duplicates are 45070;
 * a search gives 1 to 200 rows, 100 where nothing is said, another limit is a bad request; newest first; a request has
 * at most 4 GB). That more than 4 GB is 413 is RFC 9110's word, not theirs.
 */
export const AZURE: Personality = {
  name: 'azure',
  root: '/v2',
  stopsAtOtherParts: false,
  storesPartByPart: false,
  rewritesFileMeta: false,
  checksAccept: true,
  forbidsCredentials: false,
  nothingFound: 204,
  duplicate: { kind: 'refused', reason: ALREADY_EXISTS },
  hidesConflicts: false,
  search: {
    rows: () => ({ usual: 100, most: 200 }),
    aboveMost: 'refuse',
    mostOffset: Infinity,
    newestFirst: true,
    namesParents: true,
  },
  instancesAs: ['multipart', 'single part'],
  mostRequestBytes: 4_000_000_000,
  judge,
  stowAnswer(outcomes, root) {
    const url = commonStudyUrl(outcomes, root);
    return {
      status: standardStatus(outcomes),
      headers: { 'Content-Type': 'application/dicom+json' },
      body: stringify({
        ...(url && { [RETRIEVE_URL]: { vr: 'UR', Value: [url] } }),
        ...filledSequences(outcomes, root),
      }),
    };
  },
  errorAnswer({ status, message }) {
    return { status, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(message) };
  },
};

function judge(header: Attributes | undefined, expectedStudy: string | undefined): Verdict {
  // What cannot be read is an entry that names no instance.
  if (!header) return { kind: 'failed', reason: PROCESSING_FAILURE };
  const sopClass = textOf(header, SOP_CLASS_UID);
  const instance = textOf(header, SOP_INSTANCE_UID);
  const study = textOf(header, STUDY_INSTANCE_UID);
  const series = textOf(header, SERIES_INSTANCE_UID);
  if (!sopClass || !instance || !study || !series) {
    return {
      kind: 'failed',
      instance: instance || undefined,
      sopClass: sopClass || undefined,
      reason: VALIDATION_FAILED,
    };
  }
  if (expectedStudy !== undefined && study !== expectedStudy) {
    return { kind: 'failed', instance, sopClass, reason: OTHER_STUDY };
  }
  return { kind: 'accepted', uids: { study, series, instance }, sopClass };
}
