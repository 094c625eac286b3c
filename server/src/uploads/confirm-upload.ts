import type { Actor } from '@relaypacs/core/db/audit-events.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import { examineAgain, lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { startDelivery } from '@relaypacs/core/uploads/start-delivery.js';
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
    if (upload.correctedAt !== null) {
      // What was made of it names what was entered before: it is made anew, and then sent as it is.
      await examineAgain(unit, upload, { onDoubt: 'send' });
      return upload;
    }
    return startDelivery(unit, upload, actor, { detail: { confirmed: true }, set: { onDoubt: 'send' } });
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
