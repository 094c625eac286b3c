import type { Config } from '@relaypacs/core/config.js';
import type { UploadAnnouncement } from '@relaypacs/core/contract/uploads.js';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { holdTransactionLock } from '@relaypacs/core/db/transaction-lock.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import {
  announceUpload,
  findDuplicateUpload,
  insertUpload,
  type UploadRow,
} from '@relaypacs/core/db/uploads.js';
import { HttpProblem } from '../http/http-problem.js';
import { dedupeKey } from './dedupe-key.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * Opens an upload for what the sender announces.
 *
 * @throws HttpProblem UPLOAD_TOO_LARGE, or DUPLICATE_STUDY unless `forceUpload` is set
 */
export async function createUpload(
  transact: Transact,
  limits: Config['uploads'],
  dedupeSecret: Buffer,
  announcement: UploadAnnouncement,
  actor: Actor & { userId: string },
): Promise<UploadRow> {
  const { forceUpload, ...study } = announcement;
  if (study.totalBytes > limits.maxBytes) {
    throw new HttpProblem(
      'UPLOAD_TOO_LARGE',
      `One upload may hold ${limits.maxBytes} bytes, this one has ${study.totalBytes}. Nothing was sent; split it.`,
      { maxBytes: limits.maxBytes },
    );
  }
  const key = dedupeKey(dedupeSecret, study);
  return transact(async (unit) => {
    // Announcements of the same study wait for each other, or none of them would see the others.
    await holdTransactionLock(unit.trx, `announce ${actor.userId} ${key.toString('hex')}`);
    const since = new Date(Date.now() - limits.duplicateWindowDays * DAY_MS);
    const existing = forceUpload ? undefined : await findDuplicateUpload(unit.trx, actor.userId, key, since);
    if (existing) {
      throw new HttpProblem(
        'DUPLICATE_STUDY',
        'A study of a patient of this name, with this date and modality, was sent before. Send it again only if it is another one.',
        {
          existing: { id: existing.id, createdAt: existing.createdAt.toISOString(), status: existing.status },
        },
      );
    }
    const upload = await insertUpload(unit.trx, {
      id: newId(),
      userId: actor.userId,
      status: 'created',
      serviceLevel: study.serviceLevel,
      patientName: study.patientName,
      patientId: study.patientId ?? null,
      patientBirthDate: study.patientBirthDate ?? null,
      patientSex: study.patientSex ?? null,
      studyDate: study.studyDate,
      modality: study.modality,
      studyDescription: study.studyDescription ?? null,
      clinicalHistory: study.clinicalHistory || null,
      studyInstanceUid: study.studyInstanceUid ?? null,
      target: study.target ?? null,
      fileCount: study.fileCount,
      totalBytes: study.totalBytes,
      onDoubt: study.onDoubt ?? null,
      dedupeKey: key,
      expiresAt: new Date(Date.now() + limits.ttlHours * HOUR_MS),
    });
    unit.audit({
      actor,
      action: 'upload.created',
      objectType: 'upload',
      objectId: upload.id,
      detail: { fileCount: upload.fileCount, totalBytes: upload.totalBytes, forced: forceUpload },
    });
    announceUpload(unit, upload);
    return upload;
  });
}
