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

/** Failure Reasons of PS3.18 table 10.5.3-1: which ones HealthImaging gives is not documented. */
const PROCESSING_FAILURE = 0x0110;
const DATA_SET_DOES_NOT_MATCH = 0xa900;

/**
 * AWS HealthImaging, as its developer guide has it (https://docs.aws.amazon.com/healthimaging/latest/devguide/…):
 *
 * - dicomweb-storing: 1 GB a request; what arrives is organized as by an import job.
 * - understanding-import-jobs: an instance that comes again **overwrites** the one that is held; one that contradicts
 *   the study's details becomes a non-primary image set, which (dicomweb-search, dicomweb-retrieve-instance) DICOMweb
 *   does not show.
 * - dicomweb-search: 1,000 rows where no limit is given and at most, offset up to 1,000,000. Before, 10,000 rows were all
 *   that could be had. A study's instances come by their last update, latest first (dicomweb-search-study-instances).
 * - dicomweb-retrieve-instance: `Accept: application/dicom; transfer-syntax=*`, and only single instances.
 *
 * Not documented, and so as PS3.18 has it: the statuses of an answer (200, 202, 409; 204 for nothing found), the Failure
 * Reasons, 406 to `multipart/related`, what is said of an instance that becomes non-primary (stored), 413 to a request
 * that is too large (RFC 9110), the text of errors. Not played: that native and some compressed images are transcoded
 * to HTJ2K when they are stored (supported-transfer-syntaxes).
 */
export const AWS: Personality = {
  name: 'aws',
  root: '/datastore/sandbox0000000000000000000000000',
  stopsAtOtherParts: false,
  storesPartByPart: false,
  rewritesFileMeta: false,
  checksAccept: true,
  forbidsCredentials: false,
  nothingFound: 204,
  duplicate: { kind: 'replaced' },
  hidesConflicts: true,
  search: {
    rows: () => ({ usual: 1000, most: 1000 }),
    aboveMost: 'cut',
    mostOffset: 1_000_000,
    newestFirst: true,
    namesParents: true,
  },
  instancesAs: ['single part'],
  mostRequestBytes: 1_000_000_000,
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
    return { status, headers: { 'Content-Type': 'text/plain' }, body: message };
  },
};

function judge(header: Attributes | undefined, expectedStudy: string | undefined): Verdict {
  if (!header) return { kind: 'failed', reason: PROCESSING_FAILURE };
  const sopClass = textOf(header, SOP_CLASS_UID);
  const instance = textOf(header, SOP_INSTANCE_UID);
  const study = textOf(header, STUDY_INSTANCE_UID);
  const series = textOf(header, SERIES_INSTANCE_UID);
  const isOther = expectedStudy !== undefined && study !== expectedStudy;
  if (!sopClass || !instance || !study || !series || isOther) {
    return {
      kind: 'failed',
      instance: instance || undefined,
      sopClass: sopClass || undefined,
      reason: DATA_SET_DOES_NOT_MATCH,
    };
  }
  return { kind: 'accepted', uids: { study, series, instance }, sopClass };
}
