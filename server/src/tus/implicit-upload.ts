import { randomBytes } from 'node:crypto';
import type { Config } from '@relaypacs/core/config.js';
import { UNNAMED_PATIENT } from '@relaypacs/core/contract/uploads.js';
import { newId } from '@relaypacs/core/db/ids.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import { assertMayChoose } from '../uploads/choose-target.js';
import { dedupeKey } from '../uploads/dedupe-key.js';
import { readStudyMetadata } from './metadata.js';

const HOUR_MS = 3_600_000;

export interface ImplicitUpload {
  userId: string;
  /** The `Upload-Metadata` header. */
  tusMetadata: string | undefined;
  /** Bytes of its one file; undefined while the client has not said. */
  size: number | undefined;
  /** It only holds a slice until the file it belongs to is joined. */
  isSlice: boolean;
}

/**
 * The upload of one file that a tus client sends without announcing anything. It is written together with the file.
 *
 * Nobody is asked about duplicates here, because a tus client has no way to answer; the intake still finds instances
 * that were delivered before.
 *
 * @throws HttpProblem VALIDATION_FAILED when the metadata cannot be used
 */
export function newImplicitUpload(
  { uploads: limits, pacs }: Pick<Config, 'uploads' | 'pacs'>,
  dedupeSecret: Buffer,
  { userId, tusMetadata, size, isSlice }: ImplicitUpload,
): UploadRow {
  const study = readStudyMetadata(tusMetadata);
  assertMayChoose(pacs, study.target);
  const now = new Date();
  const studyDate = study.studyDate ?? now.toISOString().slice(0, 10);
  const isNamed = study.patientName !== UNNAMED_PATIENT;
  return {
    id: newId(),
    userId,
    status: 'created',
    serviceLevel: study.serviceLevel,
    patientName: study.patientName,
    patientId: study.patientId ?? null,
    patientBirthDate: study.patientBirthDate ?? null,
    patientSex: study.patientSex ?? null,
    studyDate,
    modality: study.modality,
    studyDescription: study.studyDescription ?? null,
    clinicalHistory: study.clinicalHistory || null,
    studyInstanceUid: null,
    target: study.target ?? null,
    fileCount: 1,
    totalBytes: size ?? limits.maxBytes,
    // Two studies of nobody in particular are not the same study.
    dedupeKey: isNamed ? dedupeKey(dedupeSecret, { ...study, studyDate }) : randomBytes(32),
    problem: null,
    expiresAt: new Date(now.getTime() + limits.ttlHours * HOUR_MS),
    createdAt: now,
    updatedAt: now,
    receivedAt: null,
    endedAt: null,
    bytesRemovedAt: null,
    claimedBy: null,
    claimExpiresAt: null,
    attempts: 0,
    nextAttemptAt: null,
    waitingFor: null,
    warnings: [],
    onDoubt: null,
    correctedAt: null,
    addsPatientId: false,
    isImplicit: true,
    isHidden: isSlice,
  };
}
