import type { Actor } from '@relaypacs/core/db/audit-events.js';
import { listStudies, updateStudy } from '@relaypacs/core/db/studies.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import { changeUploadStatus, lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { deliveryJob, intakeJob } from '@relaypacs/core/queue/jobs.js';
import { HttpProblem, notFound } from '../http/http-problem.js';

/**
 * Tries a failed upload again: its failed studies go back to the queue, and only instances the PACS has not
 * confirmed are sent. A rejected upload stays rejected, because its files would be the same.
 *
 * @throws HttpProblem UPLOAD_STATE_CONFLICT when a retry cannot help
 */
export async function retryUpload(transact: Transact, uploadId: string, actor: Actor): Promise<UploadRow> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, uploadId);
    if (!upload) throw notFound('upload');
    if (upload.status === 'rejected') {
      throw new HttpProblem(
        'UPLOAD_STATE_CONFLICT',
        'The files themselves were not accepted, so trying again would end the same way. Correct them and send a new upload.',
      );
    }
    if (upload.status !== 'failed') {
      throw new HttpProblem(
        'UPLOAD_STATE_CONFLICT',
        `The upload is ${upload.status}; there is nothing to try again.`,
      );
    }
    if (upload.bytesRemovedAt !== null) {
      throw new HttpProblem(
        'UPLOAD_STATE_CONFLICT',
        'The files are no longer kept here. Send them in a new upload.',
      );
    }
    const studies = await listStudies(unit.trx, [uploadId]);
    if (studies.length === 0) {
      const again = await changeUploadStatus(unit, {
        uploadId,
        to: 'processing',
        actor,
        set: { nextAttemptAt: null, attempts: 0 },
      });
      unit.enqueue(intakeJob(again));
      return again;
    }
    for (const study of studies.filter(({ status }) => status === 'failed')) {
      await updateStudy(unit.trx, study.id, { status: 'pending', problem: null, nextAttemptAt: null });
      unit.enqueue(deliveryJob({ ...study, nextAttemptAt: null }, upload.serviceLevel));
    }
    return changeUploadStatus(unit, { uploadId, to: 'delivering', actor });
  });
}
