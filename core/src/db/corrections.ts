import type { CorrectUploadRequest } from '../contract/corrections.js';
import type { Actor } from './audit-events.js';
import type { UnitOfWork } from './unit-of-work.js';
import { announceUpload, type UploadRow } from './uploads.js';

/**
 * Records what the sender corrects of what was announced. The audit trail names the fields and no value.
 *
 * @param fields - what is given; the names are those of the columns
 * @param dedupeKey - of what is announced now
 */
export async function correctUpload(
  unit: UnitOfWork,
  upload: UploadRow,
  fields: CorrectUploadRequest,
  dedupeKey: Buffer,
  actor: Actor,
): Promise<UploadRow> {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const now = new Date();
  const [corrected] = await unit
    .trx<UploadRow>('uploads')
    .where({ id: upload.id })
    .update({
      ...Object.fromEntries(given),
      dedupeKey,
      correctedAt: now,
      updatedAt: now,
      // The sender's word that this is the patient's ID is what lets it be written into objects.
      ...(fields.patientId === undefined ? {} : { addsPatientId: fields.patientId !== null }),
    })
    .returning('*');
  if (!corrected) throw new Error(`There is no upload ${upload.id}`);
  unit.audit({
    actor,
    action: 'upload.corrected',
    objectType: 'upload',
    objectId: upload.id,
    detail: { fields: given.map(([name]) => name).join(' ') },
  });
  announceUpload(unit, corrected);
  return corrected;
}
