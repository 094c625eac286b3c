import type { Actor } from '@relaypacs/core/db/audit-events.js';
import type { Queryable } from '@relaypacs/core/db/database.js';
import { findFault } from '@relaypacs/core/db/early-faults.js';
import { hasUndelivered } from '@relaypacs/core/db/early-studies.js';
import { listFirstDeliveries, type StudyRow, updateStudy } from '@relaypacs/core/db/studies.js';
import { isToBeChecked } from '@relaypacs/core/db/unexamined-files.js';
import type { Transact, UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import { changeUploadStatus, examineAgain, lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { intakeJob } from '@relaypacs/core/queue/jobs.js';
import { startDelivery } from '@relaypacs/core/uploads/start-delivery.js';
import { HttpProblem, notFound } from '../http/http-problem.js';

/**
 * Tries a failed upload again: its failed studies go back to the queue, and only instances the PACS has not
 * confirmed are sent. Where what was entered was corrected, or files were not checked yet, all of it is checked anew
 * before; so it is where the PACS refuses images without a patient ID and one was entered. A rejected upload that was not corrected stays rejected,
 * because its files would be the same; images that went early and should not have are not sent again.
 *
 * @throws HttpProblem UPLOAD_STATE_CONFLICT when a retry cannot help
 */
export async function retryUpload(transact: Transact, uploadId: string, actor: Actor): Promise<UploadRow> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, uploadId);
    if (!upload) throw notFound('upload');
    const isCorrected = upload.correctedAt !== null;
    if (upload.waitingFor === 'sender' && isCorrected) {
      await examineAgain(unit, upload);
      return upload;
    }
    assertRetryHelps(upload, isCorrected);
    const studies = await listFirstDeliveries(unit.trx, [uploadId]);
    if (studies.length === 0 || isCorrected || (await isToBeChecked(unit.trx, upload))) {
      return checkAgain(unit, upload, actor);
    }
    const fault = await findFault(unit.trx, studies);
    if (fault) await assertMoreIsMissing(unit.trx, studies);
    else if (upload.patientId !== null && !upload.addsPatientId && studies.some(lacksPatientId)) {
      return checkAgain(unit, upload, actor, { addsPatientId: true });
    }
    for (const study of studies.filter(({ status }) => status === 'failed')) {
      await updateStudy(unit.trx, study.id, { status: 'pending', problem: null, nextAttemptAt: null });
    }
    return startDelivery(unit, upload, actor, fault ? { problem: fault } : {});
  });
}

/** @throws HttpProblem UPLOAD_STATE_CONFLICT */
function assertRetryHelps({ status, bytesRemovedAt }: UploadRow, isCorrected: boolean): void {
  if (status === 'rejected' && !isCorrected) {
    throw new HttpProblem(
      'UPLOAD_STATE_CONFLICT',
      'The files themselves were not accepted, so trying again would end the same way. Correct them and send a new upload.',
    );
  }
  if (status !== 'failed' && status !== 'rejected') {
    throw new HttpProblem('UPLOAD_STATE_CONFLICT', `The upload is ${status}; there is nothing to try again.`);
  }
  if (bytesRemovedAt !== null) {
    throw new HttpProblem(
      'UPLOAD_STATE_CONFLICT',
      'The files are no longer kept here. Send them in a new upload.',
    );
  }
}

/** @throws HttpProblem UPLOAD_STATE_CONFLICT when all that is wrong is what the PACS has and should not have */
async function assertMoreIsMissing(trx: Queryable, studies: readonly StudyRow[]): Promise<void> {
  if (await hasUndelivered(trx, studies)) return;
  throw new HttpProblem(
    'UPLOAD_STATE_CONFLICT',
    'What is wrong is in the PACS already and has to be put right there, so trying again would end the same way. Send what is right as a new upload.',
  );
}

async function checkAgain(
  unit: UnitOfWork,
  { id }: UploadRow,
  actor: Actor,
  set: Partial<Pick<UploadRow, 'addsPatientId'>> = {},
): Promise<UploadRow> {
  for (const study of await listFirstDeliveries(unit.trx, [id])) {
    // What the PACS refused of it gets another chance, too.
    if (study.earlyDelivery !== null) await updateStudy(unit.trx, study.id, { status: 'pending' });
  }
  const again = await changeUploadStatus(unit, {
    uploadId: id,
    to: 'processing',
    actor,
    set: { ...set, nextAttemptAt: null, attempts: 0 },
  });
  unit.enqueue(intakeJob(again));
  return again;
}

/** Also where that is but one of several reasons. */
const lacksPatientId = ({ problem }: StudyRow) => problem?.fields?.includes('patientId') ?? false;
