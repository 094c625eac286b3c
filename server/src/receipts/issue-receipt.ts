import { createHash } from 'node:crypto';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import { newId } from '@relaypacs/core/db/ids.js';
import {
  findReceipt,
  insertReceipt,
  listDeliveredInstances,
  type ReceiptRow,
} from '@relaypacs/core/db/receipts.js';
import { listStudies } from '@relaypacs/core/db/studies.js';
import { sumUploadFiles } from '@relaypacs/core/db/upload-files.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { findUser } from '@relaypacs/core/db/users.js';
import { isSettled } from '@relaypacs/core/domain/upload-status.js';
import type { Platform } from '@relaypacs/core/platform.js';
import type { KeyStore } from '../auth/key-store.js';
import { HttpProblem } from '../http/http-problem.js';
import { composeReceipt, type DeliveredStudy, deliveredStudies } from './compose-receipt.js';
import { signReceipt } from './sign-receipt.js';

export interface ReceiptDeps {
  platform: Pick<Platform, 'db' | 'transact' | 'config'>;
  keys: Pick<KeyStore, 'keyId' | 'privateKey'>;
}

/**
 * The receipt of an upload: the one that was issued before, unless something was delivered since.
 *
 * @param actor - who asks, for the audit trail when it is issued now
 * @throws HttpProblem RECEIPT_NOT_READY until every study of the upload was delivered
 */
export async function receiptFor(deps: ReceiptDeps, upload: UploadRow, actor: Actor): Promise<ReceiptRow> {
  const { db, transact } = deps.platform;
  const studies = deliveredStudies(upload, await listStudies(db, [upload.id]));
  if (studies.length === 0) throw notReady(upload);
  const deliveriesKey = keyOf(studies);
  const issued = await findReceipt(db, upload.id, deliveriesKey);
  if (issued) return issued;
  const receipt = await issue(deps, upload, studies, deliveriesKey);
  const isOurs = await transact(async (unit) => {
    if (!(await insertReceipt(unit.trx, receipt))) return false;
    unit.audit({
      actor,
      action: 'upload.receipt_issued',
      objectType: 'upload',
      objectId: upload.id,
      detail: { receipt: receipt.id, deliveries: studies.length },
    });
    return true;
  });
  if (isOurs) return receipt;
  // Somebody else asked at the same time: theirs is the one.
  const theirs = await findReceipt(db, upload.id, deliveriesKey);
  if (!theirs) throw new Error('The receipt is gone');
  return theirs;
}

async function issue(
  { platform: { db, config }, keys }: ReceiptDeps,
  upload: UploadRow,
  studies: readonly DeliveredStudy[],
  deliveriesKey: Buffer,
): Promise<ReceiptRow> {
  const studyIds = studies.map(({ id }) => id);
  const [sender, files, instances] = await Promise.all([
    findUser(db, upload.userId),
    sumUploadFiles(db, [upload.id]),
    listDeliveredInstances(db, studyIds),
  ]);
  if (!sender) throw new Error('The sender of the upload is gone');
  const [id, issuedAt] = [newId(), new Date()];
  const receipt = composeReceipt({
    id,
    issuedAt,
    // Never what a request says: its Host header would be signed.
    issuer: config.publicUrl ?? `http://localhost:${config.port}`,
    upload,
    sender,
    files: files.get(upload.id),
    studies,
    instances,
    pacs: config.pacs,
  });
  const jws = await signReceipt(keys, receipt);
  return { id, uploadId: upload.id, deliveriesKey, keyId: keys.keyId, jws, issuedAt };
}

/** What was delivered does not change; a further delivery, or one that was repeated after a failure, does. */
function keyOf(studies: readonly DeliveredStudy[]): Buffer {
  const hash = createHash('sha256');
  for (const { id, deliveredAt } of studies) hash.update(`${id} ${deliveredAt.toISOString()}\n`);
  return hash.digest();
}

function notReady({ status }: UploadRow): HttpProblem {
  const sentence = isSettled(status)
    ? `There is no receipt: the upload is ${status}, and the PACS has not confirmed all of it. The upload itself says what happened and what to do.`
    : `There is no receipt yet: it is issued once the PACS has confirmed every image. The upload is ${status} now. What has arrived is safe; ask again when it is delivered.`;
  return new HttpProblem('RECEIPT_NOT_READY', sentence);
}
