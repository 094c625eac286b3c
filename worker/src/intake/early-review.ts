import { type PacsTargets, targetName } from '@relaypacs/core/config-targets.js';
import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';
import {
  completeEarlyStudy,
  deleteEarlyStudies,
  failEarlyStudy,
  listWentOut,
  lockEarlyStudies,
} from '@relaypacs/core/db/early-studies.js';
import { type InstanceRow, listInstances } from '@relaypacs/core/db/instances.js';
import type { StudyRow } from '@relaypacs/core/db/studies.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import {
  FAULT_AFTER_EARLY_DELIVERY,
  type WentOut,
  wentOutWords,
} from '@relaypacs/core/domain/early-delivery.js';
import { subjectsOf } from './examined.js';
import { NONE_SENT, type toRows } from './group-studies.js';
import { MIXED_PATIENTS } from './intake-problems.js';
import type { IntakeResult } from './record-intake.js';

/** What the check of a whole upload makes of a study of which something went early. */
export interface EarlyReview {
  study: StudyRow;
  /** Are, or are to be, delivered as they were found. */
  kept: readonly InstanceRow[];
  /** Went, and should not have. */
  faulty: readonly InstanceRow[];
  /** Did not go, and shall not. */
  dropped: readonly InstanceRow[];
  /** What is told of the faulty ones; undefined where there are none. */
  problem: UploadProblem | undefined;
}

/**
 * Compares what went early with what the check of the whole upload has come to. Studies of which nothing has gone are
 * forgotten: they are recorded as if nothing had been begun. Holds the others: nothing of them goes until the end of
 * the transaction.
 */
export async function reviewEarly(
  { trx }: UnitOfWork,
  uploadId: string,
  result: IntakeResult,
  pacs: Pick<PacsTargets, 'all'>,
): Promise<EarlyReview[]> {
  const early = await lockEarlyStudies(trx, uploadId);
  if (early.length === 0) return [];
  const went = await listWentOut(trx, early);
  const isBegun = ({ id }: StudyRow) => went.some(({ studyId }) => studyId === id);
  await deleteEarlyStudies(
    trx,
    early.filter((study) => !isBegun(study)),
  );
  return Promise.all(
    early
      .filter(isBegun)
      .map(async (study) => review(study, await listInstances(trx, study.id), went, result, pacs)),
  );
}

function review(
  study: StudyRow,
  instances: readonly InstanceRow[],
  went: readonly WentOut[],
  { studies, files }: IntakeResult,
  pacs: Pick<PacsTargets, 'all'>,
): EarlyReview {
  const draft = studies.find(({ studyInstanceUid }) => studyInstanceUid === study.studyInstanceUid);
  const found = new Map(
    draft?.members.map(({ object }) => [object.attributes.sopInstanceUid, object.sha256]),
  );
  const wentIds = new Set(went.map(({ id }) => id));
  const isFound = ({ sopInstanceUid, sha256 }: InstanceRow) =>
    found.get(sopInstanceUid)?.equals(sha256) ?? false;
  const rest = instances.filter((instance) => !isFound(instance));
  const faulty = rest.filter(({ id }) => wentIds.has(id));
  const ids = new Set(faulty.map(({ id }) => id));
  const fileIds = new Set(faulty.map(({ uploadFileId }) => uploadFileId));
  const reasons = subjectsOf(files).flatMap(({ file, examined }) =>
    fileIds.has(file.id) ? (examined.problem?.title ?? []) : [],
  );
  return {
    study,
    kept: instances.filter(isFound),
    faulty,
    dropped: rest.filter(({ id }) => !wentIds.has(id)),
    problem:
      faulty.length === 0
        ? undefined
        : faultProblem(
            wentOutWords(
              went.filter(({ id }) => ids.has(id)),
              (key) => targetName(pacs, key),
            ),
            [...new Set(reasons)],
          ),
  };
}

function faultProblem(went: string, reasons: readonly string[]): UploadProblem {
  const why =
    reasons.length > 0 ? `what is wrong: ${reasons.map(inSentence).join('; ')}` : 'that something is wrong';
  return {
    code: FAULT_AFTER_EARLY_DELIVERY,
    title: 'Images went to the PACS that should not have',
    detail: `${went}, sent while the rest of the upload still arrived. Only the whole of it showed ${why}. Nothing can be taken back from here: tell the people who run the PACS to look at the study now. The files are kept here. Send what is right as a new upload.`,
    remedy: 'new_upload',
  };
}

const inSentence = (title: string) => title.slice(0, 1).toLowerCase() + title.slice(1);

const SENT_ALREADY =
  'This was found only after the file had gone to the PACS, and it cannot be taken back from here. Tell the people who run the PACS to look at it now, and send what is right as a new upload.';
const OTHERS_SENT =
  'The images of this study name different patients. This one was not sent, but others of the study had gone to the PACS before that was found. Tell the people who run the PACS to look at the study now.';

/** Puts right what files and warnings say of not having been sent. */
export function tellWhatWent(reviews: readonly EarlyReview[], result: IntakeResult): IntakeResult {
  const faulty = reviews.flatMap((each) => each.faulty);
  if (faulty.length === 0) return result;
  const fileIds = new Set(faulty.map(({ uploadFileId }) => uploadFileId));
  for (const { file, examined } of subjectsOf(result.files)) {
    const { problem } = examined;
    if (!problem) continue;
    if (fileIds.has(file.id)) examined.problem = { ...problem, detail: SENT_ALREADY };
    else if (problem.code === MIXED_PATIENTS.code) examined.problem = { ...problem, detail: OTHERS_SENT };
  }
  const warnings = result.warnings.map(({ code, message }) => ({
    code,
    message: message.replace(` ${NONE_SENT}`, ''),
  }));
  return { ...result, warnings };
}

/** Writes down that a study of which something went early is refused. */
export async function failReviewed({ trx }: UnitOfWork, early: EarlyReview): Promise<void> {
  await failEarlyStudy(trx, early.study.id, toIds(early));
}

/** Writes down a study of which something went early, as the whole upload shows it: what went stays as it is. */
export async function completeReviewed(
  { trx }: UnitOfWork,
  early: EarlyReview,
  { study, instances }: ReturnType<typeof toRows>,
): Promise<void> {
  // The PACS keeps what it got first under an identifier.
  const gone = new Set([...early.kept, ...early.faulty].map(({ sopInstanceUid }) => sopInstanceUid));
  const added = instances.filter(({ sopInstanceUid }) => !gone.has(sopInstanceUid));
  await completeEarlyStudy(trx, early.study.id, study, added, toIds(early));
}

/** What an upload says of all that should not have gone; undefined where there is nothing. */
export function uploadFault(reviews: readonly EarlyReview[]): UploadProblem | undefined {
  const problems = reviews.flatMap(({ problem }) => problem ?? []);
  const [first] = problems;
  return first && { ...first, detail: [...new Set(problems.map(({ detail }) => detail))].join(' ') };
}

/** For the audit trail; empty where nothing went that should not have. */
export function countFaults(reviews: readonly EarlyReview[]): { sentAndRefused?: number } {
  const count = reviews.reduce((sum, { faulty }) => sum + faulty.length, 0);
  return count > 0 ? { sentAndRefused: count } : {};
}

const toIds = ({ faulty, dropped, problem }: EarlyReview) => ({
  faulty: faulty.map(({ id }) => id),
  dropped: dropped.map(({ id }) => id),
  problem: problem ?? null,
});
