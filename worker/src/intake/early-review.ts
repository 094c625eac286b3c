import { type PacsTargets, targetName } from '@relaypacs/core/config-targets.js';
import {
  FAULT_AFTER_EARLY_DELIVERY,
  type InstanceStatus,
  type UploadProblem,
} from '@relaypacs/core/contract/uploads.js';
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
import { type WentOut, wentOutWords } from '@relaypacs/core/domain/early-delivery.js';
import { mixedPatients } from '@relaypacs/core/studies/patients.js';
import { isLost, subjectsOf } from './examined.js';
import { NONE_SENT, type StudyDraft, type toRows } from './group-studies.js';
import {
  CONFLICTING_COPY,
  CONFLICTING_INSTANCE,
  MIXED_PATIENTS,
  STUDY_OF_ANOTHER_PATIENT,
  TRANSFER_DAMAGED,
} from './intake-problems.js';
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
  result: IntakeResult,
  pacs: Pick<PacsTargets, 'all'>,
): EarlyReview {
  const draft = result.studies.find(({ studyInstanceUid }) => studyInstanceUid === study.studyInstanceUid);
  const found = new Map(
    draft?.members.map(({ object }) => [object.attributes.sopInstanceUid, object.sha256]),
  );
  const wentIds = new Set(went.map(({ id }) => id));
  const problems = new Map(
    subjectsOf(result.files).map(({ file, examined }) => [file.id, examined.problem] as const),
  );
  const isRefused = result.refused.has(study.studyInstanceUid) || isOfAnother(study, draft);
  const isFound = ({ sopInstanceUid, sha256 }: InstanceRow) =>
    found.get(sopInstanceUid)?.equals(sha256) ?? false;
  const isWrong = ({ sopInstanceUid, uploadFileId }: InstanceRow) =>
    FAULTS.has(problems.get(uploadFileId)?.code ?? '') || (isRefused && !found.has(sopInstanceUid));
  // What the PACS has stays as it was sent, and of what is lost here since the delivery finds out what it has.
  const staysAsSent = ({ id, status, sopInstanceUid }: InstanceRow) =>
    AT_PACS.has(status) || (wentIds.has(id) && !found.has(sopInstanceUid));
  const isKept = (instance: InstanceRow) =>
    isFound(instance) || (!isWrong(instance) && staysAsSent(instance));
  const rest = instances.filter((instance) => !isKept(instance));
  const faulty = rest.filter((instance) => wentIds.has(instance.id) && isWrong(instance));
  const ids = new Set(faulty.map(({ id }) => id));
  const reasons = faulty.map(({ uploadFileId }) => {
    const problem = problems.get(uploadFileId);
    return problem && FAULTS.has(problem.code) ? problem.title : MIXED_PATIENTS.title;
  });
  return {
    study,
    kept: instances.filter(isKept),
    faulty,
    dropped: rest.filter(({ id }) => !ids.has(id)),
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

/** Reasons for which a file is not delivered that make a fault of its image when that went; else the image was right. */
const FAULTS: ReadonlySet<string> = new Set([
  TRANSFER_DAMAGED.code,
  CONFLICTING_COPY.code,
  CONFLICTING_INSTANCE.code,
  MIXED_PATIENTS.code,
  STUDY_OF_ANOTHER_PATIENT.code,
]);

const AT_PACS: ReadonlySet<InstanceStatus> = new Set(['stored', 'warning', 'verified']);

/** Whether what was looked at early, and may be lost here since, names another patient than what is left. */
function isOfAnother({ earlyPatients }: StudyRow, draft: StudyDraft | undefined): boolean {
  const left = draft?.members.map(({ object }) => object.attributes) ?? [];
  return mixedPatients([...earlyPatients, ...left]) !== undefined;
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

const SENT_AND_LOST =
  'What arrived of this file can no longer be read here. Its image had gone to the PACS before that and is confirmed there, so nothing has to be done about it.';

/** Puts right what files and warnings say of not having been sent. */
export function tellWhatWent(reviews: readonly EarlyReview[], result: IntakeResult): IntakeResult {
  tellWhatIsLost(reviews, result);
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

function tellWhatIsLost(reviews: readonly EarlyReview[], { files }: IntakeResult): void {
  const kept = reviews.flatMap((each) => each.kept).filter(({ status }) => status === 'verified');
  const fileIds = new Set(kept.map(({ uploadFileId }) => uploadFileId));
  for (const checked of files) {
    const { file, problem } = checked;
    if (problem && isLost(checked) && fileIds.has(file.id))
      checked.problem = { ...problem, detail: SENT_AND_LOST };
  }
}

/** Writes down that a study of which something went early is refused. */
export async function failReviewed({ trx }: UnitOfWork, early: EarlyReview): Promise<void> {
  await failEarlyStudy(trx, early.study.id, toIds(early));
}

/**
 * Writes down a study of which something went early, as the whole upload shows it: what went stays as it is.
 *
 * @param found - undefined: what went is right, and nothing of the study can be read any more
 */
export async function completeReviewed(
  { trx }: UnitOfWork,
  early: EarlyReview,
  found: ReturnType<typeof toRows> | undefined,
): Promise<void> {
  // The PACS keeps what it got first under an identifier.
  const gone = new Set([...early.kept, ...early.faulty].map(({ sopInstanceUid }) => sopInstanceUid));
  const added = found?.instances.filter(({ sopInstanceUid }) => !gone.has(sopInstanceUid)) ?? [];
  await completeEarlyStudy(trx, early.study.id, found?.study, added, toIds(early));
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
