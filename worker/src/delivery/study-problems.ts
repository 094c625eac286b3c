import {
  FAULT_AFTER_EARLY_DELIVERY,
  type Remedy,
  type UploadProblem,
} from '@relaypacs/core/contract/uploads.js';
import { PATIENT_ID_MISSING, PATIENT_ID_NOT_ADDED, refusal } from './pacs-problems.js';

/** An instance that was not delivered, named as a person finds it. */
export interface FailedInstance {
  seriesNumber: number | null;
  instanceNumber: number | null;
  sopInstanceUid: string;
  problem: UploadProblem | null;
}

const LISTED = 10;

/**
 * What became of a study of which some instances were not delivered.
 *
 * @param total - instances of the study
 * @param canAddPatientId - the ID that is entered can be put into images that have none
 */
export function studyProblem(
  failed: readonly FailedInstance[],
  total: number,
  canAddPatientId: boolean,
): UploadProblem {
  const reasons = reasonsOf(failed).map((reason) =>
    reason.code === PATIENT_ID_MISSING.code && !canAddPatientId ? PATIENT_ID_NOT_ADDED : reason,
  );
  const others = total - failed.length;
  const rest = others > 0 ? ` The other ${others} ${others === 1 ? 'is' : 'are'} confirmed in the PACS.` : '';
  return {
    code: commonCode(reasons),
    title: `${failed.length} of ${total} images could not be delivered`,
    detail: `${oneText(reasons)} Not delivered: ${listed(failed)}.${rest}`,
    ...remedyOf(reasons),
  };
}

/** The same of a study that an administrator had sent again: the first delivery of it is not touched. */
export function resendProblem(failed: readonly FailedInstance[], total: number): UploadProblem {
  const reasons = reasonsOf(failed);
  const why = reasons.map(({ title }) => `${title}.`).join(' ');
  return {
    code: commonCode(reasons),
    title: `${failed.length} of ${total} images could not be sent again`,
    detail: `${why} What was delivered before is not touched by this. Please show this message to the people who run the PACS; when it is solved, an administrator can send the study again for as long as its files are kept here. Not delivered: ${listed(failed)}.`,
    remedy: 'contact_pacs',
  };
}

/** Each once. */
function reasonsOf(failed: readonly FailedInstance[]): UploadProblem[] {
  const reasons = new Map(failed.map(({ problem }) => [problem?.code, problem ?? REFUSED_PROBLEM]));
  return reasons.size > 0 ? [...reasons.values()] : [REFUSED_PROBLEM];
}

function commonCode(problems: readonly UploadProblem[]): string {
  const [code = REFUSED_PROBLEM.code, ...others] = new Set(problems.map((problem) => problem.code));
  return others.length === 0 ? code : 'DELIVERY_INCOMPLETE';
}

/** All that is said, and what several of them say (that the image is safe, what to do) once, at the end. */
function oneText(problems: readonly UploadProblem[]): string {
  const sentences = problems.flatMap(({ detail }) => detail.split(/(?<=[.)]) (?=[A-Z(])/));
  return sentences.filter((sentence, index) => sentences.lastIndexOf(sentence) === index).join(' ');
}

/** What the sender can do comes before what takes others, and that before giving up on these files. */
const REMEDIES_IN_ORDER: readonly Remedy[] = ['correct', 'retry', 'contact_pacs', 'new_upload'];

function remedyOf(problems: readonly UploadProblem[]): Pick<UploadProblem, 'remedy' | 'fields'> {
  const remedy = REMEDIES_IN_ORDER.find((each) => problems.some((problem) => problem.remedy === each));
  if (remedy === undefined) return {};
  const fields = [...new Set(problems.flatMap((problem) => problem.fields ?? []))];
  return { remedy, ...(fields.length > 0 ? { fields } : {}) };
}

function listed(failed: readonly FailedInstance[]): string {
  const more = failed.length > LISTED ? ` and ${failed.length - LISTED} more` : '';
  return `${failed.slice(0, LISTED).map(label).join(', ')}${more}`;
}

const REFUSED_PROBLEM = refusal(undefined);

function label({ seriesNumber, instanceNumber, sopInstanceUid }: FailedInstance): string {
  if (seriesNumber === null || instanceNumber === null) return `the image ${sopInstanceUid}`;
  return `series ${seriesNumber} image ${instanceNumber}`;
}

/** Unlike what is all in the PACS, and should not be. */
const canBeSent = ({ code, remedy }: UploadProblem) =>
  code !== FAULT_AFTER_EARLY_DELIVERY || remedy === 'retry';

/** What an upload says when not all of its studies could be delivered. */
export function uploadProblem(problems: readonly UploadProblem[], studies: number): UploadProblem {
  const [only] = problems;
  if (only && studies === 1) return only;
  const fault = problems.find(({ code }) => code === FAULT_AFTER_EARLY_DELIVERY);
  return {
    // Somebody at the PACS has to act, whatever else is wrong.
    code: fault?.code ?? commonCode(problems),
    title: `${problems.length} of ${studies} studies could not be delivered completely`,
    detail: oneText(problems),
    // What was entered can no longer be corrected then; what is missing elsewhere can be sent.
    ...(fault
      ? { remedy: problems.some(canBeSent) ? ('retry' as const) : fault.remedy }
      : remedyOf(problems)),
  };
}
