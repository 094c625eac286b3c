import type { Actor } from '@relaypacs/core/db/audit-events.js';
import { listStudies } from '@relaypacs/core/db/studies.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import { changeUploadStatus, lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { deliveryJob } from '@relaypacs/core/queue/jobs.js';
import { HttpProblem, notFound } from '../http/http-problem.js';

/**
 * Sends an upload as it is, whose checks had doubts and which waits for its sender. Confirming twice changes nothing.
 *
 * @throws HttpProblem UPLOAD_STATE_CONFLICT when it does not wait for its sender
 */
export async function confirmUpload(transact: Transact, uploadId: string, actor: Actor): Promise<UploadRow> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, uploadId);
    if (!upload) throw notFound('upload');
    if (upload.status === 'delivering' || upload.status === 'delivered') return upload;
    assertWaitsForSender(upload);
    const studies = await listStudies(unit.trx, [uploadId]);
    for (const study of studies) unit.enqueue(deliveryJob(study, upload.serviceLevel));
    return changeUploadStatus(unit, {
      uploadId,
      to: 'delivering',
      actor,
      detail: { studies: studies.length, confirmed: true },
      set: { onDoubt: 'send' },
    });
  });
}

/** @throws HttpProblem UPLOAD_STATE_CONFLICT */
export function assertWaitsForSender(upload: UploadRow): void {
  if (upload.status === 'processing' && upload.waitingFor === 'sender') return;
  throw new HttpProblem(
    'UPLOAD_STATE_CONFLICT',
    `The upload is ${upload.status} and does not wait for an answer of yours; nothing was changed.`,
  );
}
