import { type PacsTargets, targetName } from '@relaypacs/core/config-targets.js';
import type { UploadStatus } from '@relaypacs/core/contract/uploads.js';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import type { Queryable } from '@relaypacs/core/db/database.js';
import { deleteEarlyStudies, listWentOut, lockEarlyStudies } from '@relaypacs/core/db/early-studies.js';
import { listEverDelivered } from '@relaypacs/core/db/studies.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import { changeUploadStatus, lockUpload } from '@relaypacs/core/db/uploads.js';
import { wentOutWords } from '@relaypacs/core/domain/early-delivery.js';
import { isCancellable } from '@relaypacs/core/domain/upload-status.js';
import { HttpProblem, notFound } from '../http/http-problem.js';
import { closeUpload } from './close-upload.js';

/**
 * Takes an upload back before anything of it goes to the PACS, or closes one that failed. Cancelling twice is no error.
 *
 * @param closes - it is a failed upload that is meant: its files may be the only copy, and go
 * @returns true when nothing of the upload went anywhere and its bytes may go at once
 * @throws HttpProblem UPLOAD_STATE_CONFLICT while it is delivered, once it is, and where something else is meant than it is
 */
export async function cancelUpload(
  transact: Transact,
  pacs: PacsTargets,
  uploadId: string,
  actor: Actor,
  closes = false,
): Promise<boolean> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, uploadId);
    if (!upload) throw notFound('upload');
    if (upload.status === 'cancelled') return false;
    if (closes !== (upload.status === 'failed')) throw otherwiseMeant(upload.status);
    if (closes) {
      await closeUpload(unit, pacs, upload, actor);
      return false;
    }
    if (isCancellable(upload.status)) await withdrawEarlyStudies(unit.trx, pacs, uploadId);
    if (!isCancellable(upload.status) || (await wasSent(unit.trx, uploadId))) {
      throw new HttpProblem(
        'UPLOAD_STATE_CONFLICT',
        `The upload is ${upload.status} and can no longer be taken back; what has gone to the PACS stays there.`,
      );
    }
    await changeUploadStatus(unit, { uploadId, to: 'cancelled', actor });
    return true;
  });
}

function otherwiseMeant(status: UploadStatus): HttpProblem {
  return new HttpProblem(
    'UPLOAD_STATE_CONFLICT',
    status === 'failed'
      ? 'The upload has failed, and its files are kept here. Nothing was changed. Try it again, or close it, which removes the files, with `?status=failed`.'
      : `The upload is ${status} by now, and not failed. Nothing was changed. Look at it again.`,
  );
}

/** One that failed and was corrected is checked anew when part of it has gone to the PACS. */
async function wasSent(trx: Queryable, uploadId: string): Promise<boolean> {
  return (await listEverDelivered(trx, [uploadId])).some(({ attempts }) => attempts > 0);
}

/**
 * Forgets what was to be delivered early. Sends are counted while the study is held, so from here on nothing goes.
 *
 * @throws HttpProblem UPLOAD_STATE_CONFLICT when something has gone already
 */
async function withdrawEarlyStudies(trx: Queryable, pacs: PacsTargets, uploadId: string): Promise<void> {
  const studies = await lockEarlyStudies(trx, uploadId);
  if (studies.length === 0) return;
  const went = await listWentOut(trx, studies);
  if (went.length > 0) {
    throw new HttpProblem(
      'UPLOAD_STATE_CONFLICT',
      `${wentOutWords(went, (key) => targetName(pacs, key))}, so the upload can no longer be taken back. Nothing was changed. Send the rest; or, if it must not be there, tell the people who run the PACS.`,
    );
  }
  await deleteEarlyStudies(trx, studies);
}
