import type { Config } from '@relaypacs/core/config.js';
import type {
  ArchiveEntry,
  CorrectableField,
  UploadProblem,
  Warning,
} from '@relaypacs/core/contract/uploads.js';
import { replaceArchiveEntries } from '@relaypacs/core/db/archive-entries.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import {
  type DerivedFile,
  deleteUnusedDerivedFiles,
  insertDerivedFiles,
} from '@relaypacs/core/db/derived-files.js';
import { deleteFileExaminations } from '@relaypacs/core/db/file-examinations.js';
import { listRecordedStudies, recordStudy, removeStudy } from '@relaypacs/core/db/recorded-studies.js';
import type { StudyRow } from '@relaypacs/core/db/studies.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import {
  type FileVerdict,
  isAsAnnounced,
  listUploadFiles,
  recordFileVerdicts,
} from '@relaypacs/core/db/upload-files.js';
import {
  changeUploadStatus,
  recordCompared,
  recordUploadWarnings,
  type UploadRow,
  waitForSender,
} from '@relaypacs/core/db/uploads.js';
import { findUser } from '@relaypacs/core/db/users.js';
import { startDelivery } from '@relaypacs/core/uploads/start-delivery.js';
import {
  completeReviewed,
  countFaults,
  type EarlyReview,
  failReviewed,
  reviewEarly,
  tellWhatWent,
  uploadFault,
} from './early-review.js';
import { type CheckedFile, type ExaminedEntry, subjectsOf } from './examined.js';
import { type StudyDraft, toRows } from './group-studies.js';
import { PICTURE_OF_ANOTHER_PATIENT, PICTURE_OF_NOBODY, TRANSFER_DAMAGED } from './intake-problems.js';
import { asksSender } from './study-doubts.js';
import { auditSuperseded, supersededWarnings } from './superseded-objects.js';
import { targetOfStudy } from './target-of-study.js';
import { tellable } from './tellable-warnings.js';

/** What decides about a result. */
export interface RecordConfig {
  intake: Pick<Config['intake'], 'incomplete' | 'mismatch'>;
  pacs: Pick<Config['pacs'], 'rules' | 'all'>;
}

/** Everything an intake has come to. */
export interface IntakeResult {
  files: readonly CheckedFile[];
  studies: readonly StudyDraft[];
  /** Study Instance UIDs of what was refused as a whole, because of its patient. */
  refused: ReadonlySet<string>;
  /** What was made of pictures and notes. */
  derived: readonly DerivedFile[];
  /** Doubts about the upload as a whole. */
  warnings: readonly Warning[];
}

/**
 * Writes down what an intake has come to, and what follows from it: delivery, an answer to wait for, or a rejection.
 *
 * @returns keys of objects an earlier intake has made, which may be removed once the transaction is committed
 */
export async function recordIntake(
  unit: UnitOfWork,
  upload: UploadRow,
  result: IntakeResult,
  { intake, pacs }: RecordConfig,
): Promise<string[]> {
  const { trx } = unit;
  await assertStillAnnounced(unit, result.files);
  const early = await reviewEarly(unit, upload.id, result, pacs);
  const { files, studies, derived, warnings } = tellWhatWent(early, result);
  const fault = uploadFault(early);
  await recordFileVerdicts(trx, files.map(toVerdict));
  await deleteFileExaminations(trx, upload.id);
  await replaceArchiveEntries(
    trx,
    upload.id,
    new Map(files.map(({ file, entries }) => [file.id, entries.map(toArchiveEntry)])),
  );
  await insertDerivedFiles(trx, derived);
  const rows = studies.map((study) => toRows(upload.id, { ...study, warnings: tellable(study.warnings) }));
  const before = await recordStudies(unit, upload, rows, early, pacs);
  const superseded = await supersededWarnings(trx, pacs, upload.id);
  await recordUploadWarnings(trx, upload.id, [...superseded, ...tellable(warnings)]);
  await recordCompared(trx, upload.id);
  const unneeded = await deleteUnusedDerivedFiles(trx, upload.id);
  if (studies.length === 0 && !early.some(({ kept }) => kept.length > 0)) {
    const problem = fault ?? rejection(files);
    // What was delivered before a correction, or went early, is not taken back.
    const to = fault || before.some(({ status }) => status === 'delivered') ? 'failed' : 'rejected';
    const detail = countFaults(early);
    await changeUploadStatus(unit, { uploadId: upload.id, to, actor: SYSTEM_ACTOR, problem, detail });
    return unneeded;
  }
  const doubts = [...warnings, ...studies.flatMap((study) => study.warnings)];
  // What has begun to go is not held any more.
  if (early.length === 0 && asksSender(upload, intake, doubts)) {
    await waitForSender(unit, upload, SYSTEM_ACTOR, [...new Set(doubts.map(({ code }) => code))]);
    return unneeded;
  }
  const verdicts = subjectsOf(files).map(({ examined }) => examined.status);
  await startDelivery(unit, upload, SYSTEM_ACTOR, {
    ...(fault ? { problem: fault } : {}),
    detail: {
      ...countFaults(early),
      studies: rows.length,
      instances: rows.reduce((sum, { instances }) => sum + instances.length, 0),
      rejectedFiles: verdicts.filter((status) => status === 'rejected').length,
      ignoredFiles: verdicts.filter((status) => status === 'ignored').length,
    },
  });
  return unneeded;
}

/**
 * Writes down the studies, each bound for a PACS.
 *
 * @param early - those of which something went before all of the upload was checked
 * @returns what an earlier intake had recorded of them
 */
async function recordStudies(
  unit: UnitOfWork,
  upload: UploadRow,
  rows: ReadonlyArray<ReturnType<typeof toRows>>,
  early: readonly EarlyReview[],
  pacs: RecordConfig['pacs'],
): Promise<StudyRow[]> {
  const { trx } = unit;
  const before = await listRecordedStudies(trx, upload.id);
  const facility = (await findUser(trx, upload.userId))?.facility ?? null;
  const begun = new Map(early.map((each) => [each.study.studyInstanceUid, each]));
  for (const { study, instances } of rows) {
    const review = begun.get(study.studyInstanceUid);
    if (review) {
      await completeReviewed(unit, review, { study, instances });
      continue;
    }
    const target = targetOfStudy(upload, study, facility, pacs);
    const known = before.find(({ studyInstanceUid }) => studyInstanceUid === study.studyInstanceUid);
    auditSuperseded(unit, await recordStudy(trx, known, { ...study, target }, instances));
  }
  const found = new Set(rows.map(({ study }) => study.studyInstanceUid));
  for (const study of before.filter(({ studyInstanceUid }) => !found.has(studyInstanceUid))) {
    const review = begun.get(study.studyInstanceUid);
    if (review?.kept.length) await completeReviewed(unit, review, undefined);
    else if (review) await failReviewed(unit, review);
    else auditSuperseded(unit, await removeStudy(trx, study));
  }
  return before;
}

/** The sender announced digests after they were compared, and they are not those of what arrived. */
class AnnouncedMeanwhile extends Error {
  constructor() {
    super('Digests were announced while the files were being examined');
    this.name = 'AnnouncedMeanwhile';
  }
}

/**
 * Digests may be announced until the upload's row is held, and nobody compares them afterwards.
 *
 * @throws AnnouncedMeanwhile when the intake has to begin again
 */
async function assertStillAnnounced({ trx }: UnitOfWork, files: readonly CheckedFile[]): Promise<void> {
  const [first] = files;
  if (!first) return;
  const rows = new Map((await listUploadFiles(trx, first.file.uploadId)).map((row) => [row.id, row]));
  for (const { file, md5, sha256, problem } of files) {
    const row = rows.get(file.id);
    if (!row || problem?.code === TRANSFER_DAMAGED.code) continue;
    if (!isAsAnnounced({ ...row, md5, sha256 })) throw new AnnouncedMeanwhile();
  }
}

function toVerdict({ file, md5, sha256, kind, status, problem, findings }: CheckedFile): FileVerdict {
  return { id: file.id, md5, sha256, kind, status, problem: problem ?? null, findings };
}

/** PostgreSQL holds no NUL in a text. */
const withoutNul = (text: string) => text.replaceAll('\0', '\u2400');

function toArchiveEntry({ path, size, kind, status, problem, findings }: ExaminedEntry): ArchiveEntry {
  return { path: withoutNul(path), size, kind, status, ...(problem ? { problem } : {}), findings };
}

/** Reasons that what was entered may be the cause of. */
const CORRECTIONS: Readonly<Record<string, CorrectableField[]>> = {
  [PICTURE_OF_NOBODY.code]: ['patientName'],
  [PICTURE_OF_ANOTHER_PATIENT.code]: ['patientName', 'patientId', 'patientBirthDate'],
};

function rejection(files: readonly CheckedFile[]): UploadProblem {
  const problems = subjectsOf(files).flatMap(({ examined }) => examined.problem ?? []);
  const [only, ...others] = new Set(problems.map(({ detail }) => detail));
  const why =
    only !== undefined && others.length === 0
      ? `None of the files can go to the PACS: ${only}`
      : 'None of the files can go to the PACS; each file says why. Nothing was sent.';
  const fields = [...new Set(problems.flatMap(({ code }) => CORRECTIONS[code] ?? []))];
  return {
    code: 'NO_USABLE_FILES',
    title: 'Nothing that can be delivered',
    ...(fields.length > 0
      ? {
          detail: `${why} You can also correct here what you entered, and try again.`,
          remedy: 'correct',
          fields,
        }
      : { detail: why, remedy: 'new_upload' }),
  };
}
