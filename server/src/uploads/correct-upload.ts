import type { CorrectUploadRequest } from '@relaypacs/core/contract/corrections.js';
import type { UploadStatus } from '@relaypacs/core/contract/uploads.js';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import { correctUpload as recordCorrection } from '@relaypacs/core/db/corrections.js';
import { findFault } from '@relaypacs/core/db/early-faults.js';
import { listFirstDeliveries } from '@relaypacs/core/db/studies.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import { lockUpload, type UploadRow } from '@relaypacs/core/db/uploads.js';
import { HttpProblem, notFound } from '../http/http-problem.js';
import { dedupeKey } from './dedupe-key.js';

const BEING_CHECKED =
  'The files are still arriving or being checked. Wait until that is done, or cancel the upload and announce it anew.';
const OVER = 'The upload is over. Send the study in a new upload, with what is right.';

const WHY_NOT: Partial<Record<UploadStatus, string>> = {
  delivering: 'The study is on its way into the PACS. If the PACS refuses it, it can be corrected then.',
  delivered: 'The study is in the PACS and has to be corrected there: tell the people who run the PACS.',
  expired: OVER,
  cancelled: OVER,
};

/**
 * Corrects what was announced. It takes effect when the upload is tried again.
 *
 * @throws HttpProblem UPLOAD_STATE_CONFLICT when a correction could change nothing
 */
export async function correctUpload(
  transact: Transact,
  dedupeSecret: Buffer,
  uploadId: string,
  fields: CorrectUploadRequest,
  actor: Actor,
): Promise<UploadRow> {
  return transact(async (unit) => {
    const upload = await lockUpload(unit.trx, uploadId);
    if (!upload) throw notFound('upload');
    assertCorrectable(upload);
    if (await findFault(unit.trx, await listFirstDeliveries(unit.trx, [uploadId]))) throw tooLate();
    const { patientName = upload.patientName, studyDate = upload.studyDate } = fields;
    const { modality = upload.modality } = fields;
    const isSameStudy =
      patientName === upload.patientName && studyDate === upload.studyDate && modality === upload.modality;
    const key = isSameStudy
      ? upload.dedupeKey
      : dedupeKey(dedupeSecret, { patientName, studyDate, modality });
    return recordCorrection(unit, upload, fields, key, actor);
  });
}

/** What is checked anew would be delivered beside it. */
const tooLate = () =>
  new HttpProblem(
    'UPLOAD_STATE_CONFLICT',
    'Images of the upload are in the PACS that should not be, and only the people there can put that right. Send what is right as a new upload. Nothing was changed.',
  );

function assertCorrectable({ status, waitingFor, bytesRemovedAt }: UploadRow): void {
  const isOpen = status === 'failed' || status === 'rejected' || waitingFor === 'sender';
  if (!isOpen) {
    throw new HttpProblem(
      'UPLOAD_STATE_CONFLICT',
      `${WHY_NOT[status] ?? BEING_CHECKED} Nothing was changed.`,
    );
  }
  if (bytesRemovedAt !== null) {
    throw new HttpProblem(
      'UPLOAD_STATE_CONFLICT',
      'The files are no longer kept here, so a correction could change nothing. Send them in a new upload.',
    );
  }
}
