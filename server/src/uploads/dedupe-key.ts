import { createHmac } from 'node:crypto';
import { dedupeText } from '@relaypacs/core/domain/dedupe.js';

/** HMAC-SHA-256 of the study's identity, so that the stored key tells nothing about the patient. */
export function dedupeKey(
  secret: Buffer,
  study: { patientName: string; studyDate: string; modality: string },
): Buffer {
  return createHmac('sha256', secret)
    .update(dedupeText(study.patientName, study.studyDate, study.modality))
    .digest();
}
