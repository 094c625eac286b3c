import { RETRIEVE_URL } from '../attributes.js';
import { tag } from '../dicom-dictionary.js';
import type { Attributes, JsonElement } from '../dicom-json.js';
import { retrieveUrl } from '../http-answers.js';
import type { Outcome, Refused, Stored } from './personality.js';

const REFERENCED_SOP_CLASS_UID = tag('ReferencedSOPClassUID');
const REFERENCED_SOP_INSTANCE_UID = tag('ReferencedSOPInstanceUID');
const FAILURE_REASON = tag('FailureReason');
export const FAILED_SOP_SEQUENCE = tag('FailedSOPSequence');
export const REFERENCED_SOP_SEQUENCE = tag('ReferencedSOPSequence');

/** The items of both sequences of a STOW answer (PS3.18 table I.1-2). */
export function itemsOf(outcomes: readonly Outcome[], root: string) {
  const stored = outcomes.filter((outcome): outcome is Stored => outcome.kind === 'stored');
  const failed = outcomes.filter((outcome): outcome is Refused => outcome.kind === 'failed');
  return {
    stored: stored.map(({ uids, sopClass }) => ({
      ...reference(sopClass, uids.instance),
      [RETRIEVE_URL]: { vr: 'UR', Value: [retrieveUrl(root, uids)] },
    })),
    failed: failed.map(({ instance, sopClass, reason }) => ({
      ...reference(sopClass, instance),
      [FAILURE_REASON]: { vr: 'US', Value: [reason] },
    })),
  };
}

function reference(sopClass: string | undefined, instance: string | undefined): Attributes {
  return {
    ...(sopClass !== undefined && { [REFERENCED_SOP_CLASS_UID]: { vr: 'UI', Value: [sopClass] } }),
    ...(instance !== undefined && { [REFERENCED_SOP_INSTANCE_UID]: { vr: 'UI', Value: [instance] } }),
  };
}

export function sequence(items: Attributes[]): JsonElement {
  return items.length === 0 ? { vr: 'SQ' } : { vr: 'SQ', Value: items };
}

/** The sequences that hold something: those without items are left out. */
export function filledSequences(outcomes: readonly Outcome[], root: string): Attributes {
  const { stored, failed } = itemsOf(outcomes, root);
  return {
    ...(failed.length > 0 && { [FAILED_SOP_SEQUENCE]: sequence(failed) }),
    ...(stored.length > 0 && { [REFERENCED_SOP_SEQUENCE]: sequence(stored) }),
  };
}

/** The statuses of PS3.18 10.5.3: 200 all stored, 202 some, 409 none. */
export function standardStatus(outcomes: readonly Outcome[]): number {
  const all = (kind: Outcome['kind']) => outcomes.every((outcome) => outcome.kind === kind);
  if (outcomes.length > 0 && all('stored')) return 200;
  return outcomes.some(({ kind }) => kind === 'stored') ? 202 : 409;
}

/** The address of the study, when all that was stored is of one. */
export function commonStudyUrl(outcomes: readonly Outcome[], root: string): string | undefined {
  const studies = new Set(outcomes.flatMap((each) => (each.kind === 'stored' ? [each.uids.study] : [])));
  const [study] = studies;
  return studies.size === 1 && study !== undefined ? retrieveUrl(root, { study }) : undefined;
}
