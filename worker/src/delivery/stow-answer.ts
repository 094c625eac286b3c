import { numberValue, uidValue, values } from './dicom-json.js';

/** What the PACS said of one instance of a STOW-RS request. */
export type StowOutcome =
  | { kind: 'stored' }
  /** Stored, but not exactly as sent (PS3.18 table 10.5.3-2). */
  | { kind: 'warning'; reason: number }
  /** Refused; sending the same bytes again cannot help. */
  | { kind: 'refused'; reason: number | undefined }
  /** Not now: the PACS lacks room or another resource. */
  | { kind: 'later' }
  /** Refused because the PACS says it has the instance already: to be checked, not sent again. */
  | { kind: 'held'; reason: number | undefined }
  /** Named in neither list: nothing is known until the PACS is asked. */
  | { kind: 'unknown' };

export interface StowAnswer {
  /** One entry for each instance that was sent. */
  outcomes: ReadonlyMap<string, StowOutcome>;
  /** Reasons of failures that name no instance we sent: one of the unknown ones is meant. */
  unattributed: ReadonlyArray<number | undefined>;
}

const REFERENCED_SOP_SEQUENCE = '00081199';
const FAILED_SOP_SEQUENCE = '00081198';
const OTHER_FAILURES_SEQUENCE = '0008119A';
const REFERENCED_SOP_INSTANCE_UID = '00081155';
const WARNING_REASON = '00081196';
const FAILURE_REASON = '00081197';

/** A700, out of resources: the one failure that passes by itself. A777–A77B of dcm4chee look alike and do not. */
const OUT_OF_RESOURCES = 0xa700;
/** 0111 of PS3.7 C.5.9 and B00E of Azure: the instance is there already. */
const DUPLICATE_REASONS: readonly number[] = [0x0111, 0xb00e];
/**
 * FailureDetailJSON and FailureDetail of Google's Cloud Healthcare API, where alone it says that the instance is there
 * already; the Failure Reason is 0110, as for everything else
 * (https://docs.cloud.google.com/healthcare-api/docs/dicom, "Store transaction", "Response").
 */
const FAILURE_DETAILS = ['00091097', '00090097'];
const ALREADY_EXISTS = /already exists/i;

/**
 * Reads the body of a STOW-RS answer (PS3.18 §10.5.3.3). The HTTP status and the Content-Type are not looked at:
 * Orthanc answers 400 with stored instances, and 200 with none, and leaves the type out of errors.
 *
 * @param body - the body as it came; anything but DICOM JSON leaves every instance unknown
 * @param sent - SOP Instance UIDs of the request
 */
export function readStowAnswer(body: string, sent: readonly string[]): StowAnswer {
  const outcomes = new Map<string, StowOutcome>(sent.map((uid) => [uid, { kind: 'unknown' }]));
  const unattributed: Array<number | undefined> = [];
  for (const dataset of datasets(body)) {
    for (const item of [
      ...values(dataset, FAILED_SOP_SEQUENCE),
      ...values(dataset, OTHER_FAILURES_SEQUENCE),
    ]) {
      const uid = uidValue(item, REFERENCED_SOP_INSTANCE_UID);
      const reason = numberValue(item, FAILURE_REASON);
      if (uid !== undefined && outcomes.has(uid)) outcomes.set(uid, failure(reason, item));
      else unattributed.push(reason);
    }
    for (const item of values(dataset, REFERENCED_SOP_SEQUENCE)) {
      const uid = uidValue(item, REFERENCED_SOP_INSTANCE_UID);
      const reason = numberValue(item, WARNING_REASON);
      if (uid === undefined || !outcomes.has(uid)) continue;
      outcomes.set(uid, reason === undefined ? { kind: 'stored' } : { kind: 'warning', reason });
    }
  }
  return { outcomes, unattributed };
}

function failure(reason: number | undefined, item: unknown): StowOutcome {
  if (reason === OUT_OF_RESOURCES) return { kind: 'later' };
  if (reason !== undefined && DUPLICATE_REASONS.includes(reason)) return { kind: 'held', reason };
  const details = FAILURE_DETAILS.flatMap((tag) => values(item, tag));
  if (details.some((detail) => typeof detail === 'string' && ALREADY_EXISTS.test(detail))) {
    return { kind: 'held', reason };
  }
  return { kind: 'refused', reason };
}

function datasets(body: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(body);
    return Array.isArray(parsed) ? parsed : [parsed];
  } catch {
    return [];
  }
}
