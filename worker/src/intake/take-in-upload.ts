import type { UploadProblem } from '@relaypacs/core/contract/uploads.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { insertInstances } from '@relaypacs/core/db/instances.js';
import { deleteStudies, insertStudy } from '@relaypacs/core/db/studies.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import {
  listUploadFiles,
  recordUploadFileVerdict,
  type UploadFileRow,
} from '@relaypacs/core/db/upload-files.js';
import {
  changeUploadStatus,
  countIntakeAttempt,
  lockUpload,
  putOffIntake,
  type UploadRow,
} from '@relaypacs/core/db/uploads.js';
import { backoffSeconds } from '@relaypacs/core/domain/backoff.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { deliveryJob, intakeJob } from '@relaypacs/core/queue/jobs.js';
import { inParallel } from '../in-parallel.js';
import { ClaimLost, RowClaim } from '../row-claim.js';
import { type CheckedFile, checkFile, compareWithAnnounced, isLost } from './check-file.js';
import { groupStudies } from './group-studies.js';

export interface IntakeDeps extends Pick<Platform, 'db' | 'transact' | 'files' | 'logger'> {
  /** Aborts when the worker is to stop. */
  stopping: AbortSignal;
}

/** Faults of ours (storage, database) are tried again this often before a person has to look. */
const MOST_ATTEMPTS = 20;
const FILES_AT_ONCE = 2;

const UNREADABLE: UploadProblem = {
  code: 'INTAKE_FAILED',
  title: 'Could not be checked',
  detail:
    'The files arrived, but could not be read for checking after many tries. Ask your administrator to look, then try again.',
};

function rejection(files: readonly CheckedFile[]): UploadProblem {
  const reasons = new Set(files.map((file) => file.problem?.detail));
  const [only] = reasons;
  return {
    code: 'NO_USABLE_FILES',
    title: 'Nothing that can be delivered',
    detail:
      reasons.size === 1 && only !== undefined
        ? `None of the files can go to the PACS: ${only}`
        : 'None of the files can go to the PACS; each file says why. Nothing was sent.',
  };
}

async function checkFiles(
  deps: IntakeDeps,
  files: readonly UploadFileRow[],
  signal: AbortSignal,
): Promise<CheckedFile[]> {
  const checked: CheckedFile[] = [];
  await inParallel([...files.entries()], FILES_AT_ONCE, async ([index, file]) => {
    signal.throwIfAborted();
    const result = await checkFile(deps.files, file);
    if (result.scan === null) deps.logger.error('Stored bytes are damaged or gone', { fileId: file.id });
    checked[index] = result;
  });
  return checked;
}

/** Writes everything the checks found, and what follows from it, in one transaction. */
async function record(unit: UnitOfWork, upload: UploadRow, checked: readonly CheckedFile[]): Promise<void> {
  const rows = new Map((await listUploadFiles(unit.trx, upload.id)).map((row) => [row.id, row]));
  const compared = checked.map((file) => compareWithAnnounced(file, rows.get(file.file.id) ?? file.file));
  const { files, studies } = groupStudies(upload.id, compared);
  for (const { file, md5, sha256, problem, findings } of files) {
    const status = problem ? 'rejected' : 'accepted';
    await recordUploadFileVerdict(unit.trx, file.id, {
      status,
      md5,
      sha256,
      problem: problem ?? null,
      findings,
    });
  }
  await deleteStudies(unit.trx, upload.id);
  const rejected = files.filter((file) => file.problem).length;
  if (studies.length === 0) {
    const problem = rejection(files);
    await changeUploadStatus(unit, { uploadId: upload.id, to: 'rejected', actor: SYSTEM_ACTOR, problem });
    return;
  }
  for (const { study, instances } of studies) {
    await insertStudy(unit.trx, study);
    await insertInstances(unit.trx, instances);
    unit.enqueue(deliveryJob({ id: study.id, attempts: 0, nextAttemptAt: null }, upload.serviceLevel));
  }
  await changeUploadStatus(unit, {
    uploadId: upload.id,
    to: 'delivering',
    actor: SYSTEM_ACTOR,
    detail: {
      studies: studies.length,
      instances: studies.reduce((sum, { instances }) => sum + instances.length, 0),
      rejectedFiles: rejected,
    },
  });
}

/** Puts the upload back: to be tried again later, or, after too many tries, before a person. */
async function giveBack(claim: RowClaim, immediately: boolean): Promise<void> {
  await claim.write(async (unit) => {
    const upload = await lockUpload(unit.trx, claim.id);
    // Cancelled in the meantime: its bytes may be gone already, and nothing is wrong.
    if (upload?.status !== 'processing') return;
    if (!immediately && upload.attempts >= MOST_ATTEMPTS) {
      await changeUploadStatus(unit, {
        uploadId: claim.id,
        to: 'failed',
        actor: SYSTEM_ACTOR,
        problem: UNREADABLE,
      });
      return;
    }
    const seconds = immediately ? 0 : backoffSeconds(upload.attempts, 1, 60);
    const nextAttemptAt = new Date(Date.now() + seconds * 1000);
    await putOffIntake(unit.trx, claim.id, nextAttemptAt);
    unit.enqueue(intakeJob({ ...upload, nextAttemptAt }));
  });
}

/** @returns false when the upload is further on, or was cancelled */
async function begin(claim: RowClaim): Promise<boolean> {
  return claim.write(async (unit) => {
    const upload = await lockUpload(unit.trx, claim.id);
    if (upload?.status === 'received') {
      await changeUploadStatus(unit, { uploadId: claim.id, to: 'processing', actor: SYSTEM_ACTOR });
    } else if (upload?.status !== 'processing') {
      return false;
    }
    await countIntakeAttempt(unit.trx, claim.id);
    return true;
  });
}

/**
 * Opens what one upload holds: checks every file, records its studies and instances, and hands the studies to
 * delivery. A job that comes twice, or for an upload that is further on, does nothing. What is broken in the files
 * becomes a verdict; what is broken here is tried again.
 *
 * @throws only when not even that could be written (the database is away); the sweep takes it up then
 */
export async function takeInUpload(deps: IntakeDeps, uploadId: string): Promise<void> {
  const { db, transact, logger, stopping } = deps;
  const claim = await RowClaim.take(db, transact, 'uploads', uploadId);
  if (!claim) return;
  try {
    if (!(await begin(claim))) return;
    const files = await listUploadFiles(db, uploadId);
    const checked = await checkFiles(deps, files, AbortSignal.any([claim.lost, stopping]));
    // One file can be lost; all of them at once is a storage that is not there. That must not become a verdict.
    if (checked.length > 0 && checked.every(isLost)) throw new Error('None of the stored files can be read');
    await claim.write(async (unit) => {
      const upload = await lockUpload(unit.trx, uploadId);
      // Cancelled while it was being checked: there is nothing to record.
      if (upload?.status === 'processing') await record(unit, upload, checked);
    });
  } catch (error) {
    if (error instanceof ClaimLost) {
      logger.warn('The upload is in other hands now');
      return;
    }
    if (!stopping.aborted) logger.error('Intake was interrupted', { error });
    await giveBack(claim, stopping.aborted).catch((failure: unknown) => {
      if (!(failure instanceof ClaimLost)) throw failure;
    });
  } finally {
    await claim.release();
  }
}
