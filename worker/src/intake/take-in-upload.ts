import { DEFAULT_ARCHIVE_LIMITS } from '@relaypacs/core/archive/limits.js';
import type { Config } from '@relaypacs/core/config.js';
import { type PacsTargets, targetName } from '@relaypacs/core/config-targets.js';
import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import {
  listFilesTakenEarly,
  listWentOut,
  lockEarlyStudies,
  stopEarlyStudy,
} from '@relaypacs/core/db/early-studies.js';
import { findEarlierInstances } from '@relaypacs/core/db/instances.js';
import { findKnownPatients } from '@relaypacs/core/db/studies.js';
import { INTAKE_FAILED } from '@relaypacs/core/db/unexamined-files.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import { listUploadFiles, type UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import {
  changeUploadStatus,
  countIntakeAttempt,
  findUpload,
  lockUpload,
  putOffIntake,
  type UploadRow,
} from '@relaypacs/core/db/uploads.js';
import { findUser } from '@relaypacs/core/db/users.js';
import { backoffSeconds } from '@relaypacs/core/domain/backoff.js';
import { wentOutWords } from '@relaypacs/core/domain/early-delivery.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { intakeJob } from '@relaypacs/core/queue/jobs.js';
import { inParallel } from '../in-parallel.js';
import type { IsolatedTasks } from '../isolation/isolated-tasks.js';
import { ClaimLost, RowClaim } from '../row-claim.js';
import { addAnnouncedPatientId } from './add-patient-id.js';
import { concludeArchive } from './examine-archive.js';
import { compareWithAnnounced, examineFile, takeAnnouncedMd5 } from './examine-file.js';
import { type CheckedFile, isLost, subjectsOf } from './examined.js';
import { recallExamined } from './examined-before.js';
import { groupStudies } from './group-studies.js';
import { type IntakeResult, recordIntake } from './record-intake.js';
import { addStudyDoubts, uploadDoubts } from './study-doubts.js';
import { wrapObjects } from './wrap-objects.js';

export interface IntakeDeps extends Pick<Platform, 'db' | 'transact' | 'files' | 'storage' | 'logger'> {
  config: Pick<Config, 'intake' | 'uploads' | 'pacs'>;
  /** Where strangers' bytes are decoded. */
  tasks: IsolatedTasks;
  /** Aborts when the worker is to stop. */
  stopping: AbortSignal;
}

/** Faults of ours (storage, database) are tried again this often before a person has to look. */
const MOST_ATTEMPTS = 20;
const FILES_AT_ONCE = 4;
const DAY_MS = 86_400_000;

const UNREADABLE: UploadProblem = {
  code: INTAKE_FAILED,
  title: 'Could not be checked',
  detail:
    'The files arrived, but could not be read for checking after many tries. They are kept here. Ask your administrator to look, then try again.',
  remedy: 'retry',
};

async function examineFiles(
  deps: IntakeDeps,
  upload: UploadRow,
  files: readonly UploadFileRow[],
  signal: AbortSignal,
): Promise<CheckedFile[]> {
  const examination = {
    files: await deps.files.locate(files.map(({ id }) => id)),
    tasks: deps.tasks,
    uploadId: upload.id,
    studyInstanceUid: upload.studyInstanceUid ?? undefined,
    patientId: upload.addsPatientId ? (upload.patientId ?? undefined) : undefined,
    limits: { ...DEFAULT_ARCHIVE_LIMITS, ...deps.config.intake.archive },
    spent: { entries: 0, bytes: 0, dicomdirs: 0 },
    signal,
  };
  const sizes = new Map(files.map(({ id, size }) => [id, size ?? 0]));
  const known = await recallExamined(deps.db, upload, sizes);
  const checked: CheckedFile[] = [];
  await inParallel([...files.entries()], FILES_AT_ONCE, async ([index, file]) => {
    signal.throwIfAborted();
    const result = await examineFile(examination, file, known.get(file.id));
    if (isLost(result)) deps.logger.error('Stored bytes are damaged or gone', { fileId: file.id });
    checked[index] = result;
  });
  return checked;
}

/** Everything that follows from what was found, short of writing it down. */
async function judge(
  deps: IntakeDeps,
  upload: UploadRow,
  checked: CheckedFile[],
  signal: AbortSignal,
): Promise<IntakeResult> {
  const { db, config } = deps;
  const rows = new Map((await listUploadFiles(db, upload.id)).map((row) => [row.id, row]));
  for (const file of checked) {
    const row = rows.get(file.file.id) ?? file.file;
    await takeAnnouncedMd5(deps.files, file, row);
    compareWithAnnounced(file, row);
  }
  const early = await listFilesTakenEarly(db, upload.id);
  // Of two images under one identifier the first is taken: that is the one the PACS may have already.
  const subjects = subjectsOf(checked).sort(
    (a, b) => Number(early.has(b.file.id)) - Number(early.has(a.file.id)),
  );
  const identities = subjects.flatMap(({ examined }) => examined.object?.attributes ?? []);
  const since = new Date(Date.now() - config.uploads.duplicateWindowDays * DAY_MS);
  const studyUids = [
    ...identities.flatMap(({ studyInstanceUid }) => studyInstanceUid ?? []),
    // Pictures go into it, whether other images of it came along or not.
    ...(upload.studyInstanceUid === null ? [] : [upload.studyInstanceUid]),
  ];
  const patients = await findKnownPatients(db, [...new Set(studyUids)], upload.id);
  const { studies, refused, warnings } = groupStudies(subjects, {
    instances: await findEarlierInstances(
      db,
      identities.flatMap(({ sopInstanceUid }) => sopInstanceUid ?? []),
      upload,
      since,
    ),
    patients,
  });
  addAnnouncedPatientId(upload, studies, subjects);
  addStudyDoubts(upload, studies, subjects);
  const sender = await findUser(db, upload.userId);
  const sent = { upload, author: sender?.fullName ?? sender?.username ?? 'unknown' };
  const wrapped = await wrapObjects(
    { ...deps, noteObjects: config.intake.noteObjects, patients, refused, signal },
    sent,
    subjects,
    studies,
  );
  for (const file of checked) concludeArchive(file);
  return {
    files: checked,
    studies,
    refused,
    derived: wrapped.files,
    warnings: [...warnings, ...uploadDoubts(upload, checked, subjects, studies), ...wrapped.warnings],
  };
}

/** After too many tries somebody has to look; what went early is there. */
async function giveUp(unit: UnitOfWork, uploadId: string, pacs: PacsTargets): Promise<void> {
  const early = await lockEarlyStudies(unit.trx, uploadId);
  for (const { id } of early) await stopEarlyStudy(unit.trx, id);
  const went = await listWentOut(unit.trx, early);
  const words = wentOutWords(went, (key) => targetName(pacs, key));
  const detail =
    went.length > 0 ? `${UNREADABLE.detail} ${words}; the others were not sent.` : UNREADABLE.detail;
  const problem = { ...UNREADABLE, detail };
  await changeUploadStatus(unit, { uploadId, to: 'failed', actor: SYSTEM_ACTOR, problem });
}

/** Puts the upload back: to be tried again later, or, after too many tries, before a person. */
async function giveBack(claim: RowClaim, immediately: boolean, pacs: PacsTargets): Promise<void> {
  await claim.write(async (unit) => {
    const upload = await lockUpload(unit.trx, claim.id);
    // Cancelled in the meantime: its bytes may be gone already, and nothing is wrong.
    if (upload?.status !== 'processing') return;
    if (!immediately && upload.attempts >= MOST_ATTEMPTS) return giveUp(unit, claim.id, pacs);
    const seconds = immediately ? 0 : backoffSeconds(upload.attempts, 1, 60);
    const nextAttemptAt = new Date(Date.now() + seconds * 1000);
    await putOffIntake(unit.trx, claim.id, nextAttemptAt);
    unit.enqueue(intakeJob({ ...upload, nextAttemptAt }));
  });
}

/** @returns false when the upload is further on, waits for its sender, or was cancelled */
async function begin(claim: RowClaim, pacs: PacsTargets): Promise<boolean> {
  return claim.write(async (unit) => {
    const upload = await lockUpload(unit.trx, claim.id);
    if (upload?.status === 'received') {
      await changeUploadStatus(unit, { uploadId: claim.id, to: 'processing', actor: SYSTEM_ACTOR });
    } else if (upload?.status !== 'processing' || upload.waitingFor !== null) {
      return false;
    }
    // A worker that dies over it never gives it back: the count is all that ends it.
    if (upload.attempts >= MOST_ATTEMPTS) {
      await giveUp(unit, claim.id, pacs);
      return false;
    }
    await countIntakeAttempt(unit.trx, claim.id);
    return true;
  });
}

const objectKeys = ({ derived }: IntakeResult) =>
  derived.flatMap(({ segments }) => segments.map(({ key }) => key));

/** What cannot be removed now is found and removed by the search for orphans. */
async function removeUnneeded(
  { storage, logger }: Pick<IntakeDeps, 'storage' | 'logger'>,
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return;
  await storage
    .remove(keys)
    .catch((error: unknown) => logger.warn('Bytes were not removed yet', { error, objects: keys.length }));
}

/**
 * Opens what one upload holds: checks every file, opens archives in place, wraps pictures and the clinical history, records
 * studies and instances, and hands the studies to delivery, unless a doubt has to wait for the sender. A job that comes twice, or for an upload that is further on, does nothing. What is broken in the files
 * becomes a verdict; what is broken here is tried again.
 *
 * @throws only when not even that could be written (the database is away); the sweep takes it up then
 */
export async function takeInUpload(deps: IntakeDeps, uploadId: string): Promise<void> {
  const { db, transact, logger, stopping, config } = deps;
  const claim = await RowClaim.take(db, transact, 'uploads', uploadId);
  if (!claim) return;
  try {
    if (!(await begin(claim, config.pacs))) return;
    const upload = await findUpload(db, uploadId);
    if (!upload) return;
    const signal = AbortSignal.any([claim.lost, stopping]);
    const checked = await examineFiles(deps, upload, await listUploadFiles(db, uploadId), signal);
    // One file can be lost; all of them at once is a storage that is not there. That must not become a verdict.
    if (checked.length > 0 && checked.every(isLost)) throw new Error('None of the stored files can be read');
    const result = await judge(deps, upload, checked, signal);
    const unneeded = await claim.write(async (unit) => {
      const current = await lockUpload(unit.trx, uploadId);
      // Cancelled while it was being checked: there is nothing to record, and what was made for it is not needed.
      if (current?.status !== 'processing') return objectKeys(result);
      return recordIntake(unit, current, result, config);
    });
    await removeUnneeded(deps, unneeded);
  } catch (error) {
    if (error instanceof ClaimLost) {
      logger.warn('The upload is in other hands now');
      return;
    }
    if (!stopping.aborted) logger.error('Intake was interrupted', { error });
    await giveBack(claim, stopping.aborted, config.pacs).catch((failure: unknown) => {
      if (!(failure instanceof ClaimLost)) throw failure;
    });
  } finally {
    await claim.release();
  }
}
