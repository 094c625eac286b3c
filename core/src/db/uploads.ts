import type { DoubtPolicy, ServiceLevel, UploadProblem, UploadStatus, Warning } from '../contract/uploads.js';
import { assertMayChange, isSettled, StatusChangeRefused } from '../domain/upload-status.js';
import { intakeJob } from '../queue/jobs.js';
import type { Actor } from './audit-events.js';
import type { Queryable } from './database.js';
import type { UnitOfWork } from './unit-of-work.js';

export interface UploadRow {
  id: string;
  userId: string;
  status: UploadStatus;
  serviceLevel: ServiceLevel;
  patientName: string;
  patientId: string | null;
  patientBirthDate: string | null;
  patientSex: string | null;
  studyDate: string;
  modality: string;
  studyDescription: string | null;
  clinicalHistory: string | null;
  studyInstanceUid: string | null;
  /** Key of the PACS the sender chose; null: the rules decide. */
  target: string | null;
  fileCount: number;
  totalBytes: number;
  dedupeKey: Buffer;
  problem: UploadProblem | null;
  expiresAt: Date;
  createdAt: Date;
  updatedAt: Date;
  receivedAt: Date | null;
  endedAt: Date | null;
  bytesRemovedAt: Date | null;
  claimedBy: string | null;
  claimExpiresAt: Date | null;
  attempts: number;
  nextAttemptAt: Date | null;
  /** The checks are done, and a doubt waits for the sender's answer. */
  waitingFor: 'sender' | null;
  /** Doubts about the upload as a whole. */
  warnings: Warning[];
  /** What the sender wants when there are doubts; null: what the operator has configured. */
  onDoubt: DoubtPolicy | null;
  /** When what was entered was corrected; null once the files were compared with it. */
  correctedAt: Date | null;
  /** Objects without a Patient ID are given the one that was entered. */
  addsPatientId: boolean;
  /** Made by a tus creation that named no upload; its patient and study may be stand-ins. */
  isImplicit: boolean;
  /** Holds slices that belong to no upload yet; shown to nobody. */
  isHidden: boolean;
}

export type NewUpload = Omit<
  UploadRow,
  | 'problem'
  | 'createdAt'
  | 'updatedAt'
  | 'receivedAt'
  | 'endedAt'
  | 'bytesRemovedAt'
  | 'claimedBy'
  | 'claimExpiresAt'
  | 'attempts'
  | 'nextAttemptAt'
  | 'waitingFor'
  | 'warnings'
  | 'onDoubt'
  | 'correctedAt'
  | 'addsPatientId'
  | 'target'
  | 'isImplicit'
  | 'isHidden'
> &
  Partial<Pick<UploadRow, 'onDoubt' | 'target' | 'isImplicit' | 'isHidden'>>;

export async function insertUpload(db: Queryable, upload: NewUpload): Promise<UploadRow> {
  // Said as JSON: the driver would make an empty object of an empty list.
  const [row]: UploadRow[] = await db('uploads')
    .insert({ ...upload, warnings: '[]' })
    .returning('*');
  if (!row) throw new Error('The upload was not written');
  return row;
}

export async function findUpload(db: Queryable, id: string): Promise<UploadRow | undefined> {
  return db<UploadRow>('uploads').where({ id }).first();
}

/** Reads an upload and holds its row until the transaction ends. */
export async function lockUpload(trx: Queryable, id: string): Promise<UploadRow | undefined> {
  return trx<UploadRow>('uploads').where({ id }).forUpdate().first();
}

/** Holds the rows of all uploads that these files belong to, always in the same order, until the transaction ends. */
export async function lockUploadsOfFiles(trx: Queryable, fileIds: readonly string[]): Promise<UploadRow[]> {
  const uploadIds = trx('uploadFiles')
    .whereIn('id', [...fileIds])
    .select('uploadId');
  return trx<UploadRow>('uploads').whereIn('id', uploadIds).orderBy('id').forUpdate();
}

/**
 * The newest upload of the same study since `since` that reached or may still reach the PACS: one that was
 * cancelled, expired, rejected or failed is no reason to warn.
 */
export async function findDuplicateUpload(
  db: Queryable,
  userId: string,
  dedupeKey: Buffer,
  since: Date,
): Promise<UploadRow | undefined> {
  return db<UploadRow>('uploads')
    .where({ userId, dedupeKey, isHidden: false })
    .where('createdAt', '>=', since)
    .whereNotIn('status', ['cancelled', 'expired', 'rejected', 'failed'])
    .orderBy('createdAt', 'desc')
    .first();
}

export interface UploadFilter {
  userId?: string | undefined;
  status?: UploadStatus | undefined;
  serviceLevel?: ServiceLevel | undefined;
  modality?: string | undefined;
  /** Study dates, both ends included, `YYYY-MM-DD`. */
  from?: string | undefined;
  to?: string | undefined;
  /** Part of the patient's name, id or the study's description. */
  q?: string | undefined;
}

/** Newest first; `before` is the id of the last row of the page before. */
export async function listUploads(
  db: Queryable,
  filter: UploadFilter,
  limit: number,
  before?: string,
): Promise<UploadRow[]> {
  const query = db<UploadRow>('uploads').where({ isHidden: false }).orderBy('id', 'desc').limit(limit);
  if (before !== undefined) query.where('id', '<', before);
  if (filter.userId !== undefined) query.where('userId', filter.userId);
  if (filter.status !== undefined) query.where('status', filter.status);
  if (filter.serviceLevel !== undefined) query.where('serviceLevel', filter.serviceLevel);
  if (filter.modality !== undefined) query.where('modality', filter.modality);
  if (filter.from !== undefined) query.where('studyDate', '>=', filter.from);
  if (filter.to !== undefined) query.where('studyDate', '<=', filter.to);
  if (filter.q !== undefined && filter.q !== '') {
    const pattern = `%${filter.q.replace(/[\\%_]/g, (c) => `\\${c}`)}%`;
    query.where((any) =>
      any
        .whereILike('patientName', pattern)
        .orWhereILike('patientId', pattern)
        .orWhereILike('studyDescription', pattern),
    );
  }
  return query;
}

export interface StatusChange {
  uploadId: string;
  to: UploadStatus;
  actor: Actor;
  /** Shown to the sender; a change without one clears the last. */
  problem?: UploadProblem;
  /** Counts and codes for the audit trail. */
  detail?: Record<string, string | number | boolean | null>;
  /** Further columns that change with the status. */
  set?: Partial<
    Pick<
      UploadRow,
      | 'nextAttemptAt'
      | 'attempts'
      | 'fileCount'
      | 'totalBytes'
      | 'expiresAt'
      | 'onDoubt'
      | 'correctedAt'
      | 'addsPatientId'
    >
  >;
}

/**
 * The one way an upload changes its status: checked against the table of `domain/upload-status.ts`, audited and
 * announced, in the caller's transaction.
 *
 * @throws StatusChangeRefused when the table does not have the change
 */
export async function changeUploadStatus(unit: UnitOfWork, change: StatusChange): Promise<UploadRow> {
  const before = await lockUpload(unit.trx, change.uploadId);
  if (!before) throw new Error(`There is no upload ${change.uploadId}`);
  assertMayChange(before.status, change.to);
  const now = new Date();
  const [after] = await unit
    .trx<UploadRow>('uploads')
    .where({ id: change.uploadId })
    .update({
      ...change.set,
      status: change.to,
      problem: change.problem ?? null,
      waitingFor: null,
      updatedAt: now,
      ...(change.to === 'received' ? { receivedAt: now } : {}),
      endedAt: isSettled(change.to) ? now : null,
    })
    .returning('*');
  if (!after) throw new StatusChangeRefused(before.status, change.to);
  unit.audit({
    actor: change.actor,
    action: `upload.${change.to}`,
    objectType: 'upload',
    objectId: after.id,
    detail: { ...change.detail, ...(change.problem ? { problem: change.problem.code } : {}) },
  });
  announceUpload(unit, after);
  return after;
}

/** Tells the owner's browsers that something about an upload changed. */
export function announceUpload(
  unit: UnitOfWork,
  upload: Pick<UploadRow, 'id' | 'userId' | 'status' | 'isHidden'>,
): void {
  if (upload.isHidden) return;
  unit.emit({ type: 'upload', uploadId: upload.id, userId: upload.userId, status: upload.status });
}

/** Marks that intake begins once more; the count makes the id of the next job. */
export async function countIntakeAttempt(db: Queryable, id: string): Promise<void> {
  await db<UploadRow>('uploads').where({ id }).increment('attempts', 1);
}

/** Not before this time is intake tried again. */
export async function putOffIntake(db: Queryable, id: string, nextAttemptAt: Date): Promise<void> {
  await db<UploadRow>('uploads').where({ id }).update({ nextAttemptAt });
}

/** The newest uploads that were rejected or could not be delivered. */
export async function listFailedUploads(db: Queryable, limit: number): Promise<UploadRow[]> {
  return db<UploadRow>('uploads')
    .whereIn('status', ['failed', 'rejected'])
    .where({ isHidden: false })
    .orderBy('endedAt', 'desc')
    .limit(limit);
}

/** Uploads that should be worked on, that nobody works on, and whose time to be looked at came `seconds` ago. */
export async function listStrandedUploads(
  db: Queryable,
  seconds: number,
  limit: number,
): Promise<UploadRow[]> {
  return db<UploadRow>('uploads')
    .whereIn('status', ['received', 'processing'])
    .whereNull('waitingFor')
    .where((free) => free.whereNull('claimedBy').orWhere('claimExpiresAt', '<', db.fn.now()))
    .whereRaw(`coalesce(next_attempt_at, updated_at) < now() - ? * interval '1 second'`, [seconds])
    .orderBy('id')
    .limit(limit);
}

/** Open uploads whose time is over. */
export async function listOverdueUploads(db: Queryable, limit: number): Promise<UploadRow[]> {
  return db<UploadRow>('uploads')
    .whereIn('status', ['created', 'uploading'])
    .where('expiresAt', '<', db.fn.now())
    .orderBy('id')
    .limit(limit);
}

/** Records the doubts of the checks. */
export async function recordUploadWarnings(
  db: Queryable,
  id: string,
  warnings: readonly Warning[],
): Promise<void> {
  await db('uploads')
    .where({ id })
    .update({ warnings: JSON.stringify(warnings) });
}

/** Notes that the files were compared with what is entered now. */
export async function recordCompared(db: Queryable, id: string): Promise<void> {
  await db<UploadRow>('uploads').where({ id }).update({ correctedAt: null });
}

/** Stops an upload that was checked before its delivery: the sender has to say what is to become of it. */
export async function waitForSender(
  unit: UnitOfWork,
  upload: UploadRow,
  actor: Actor,
  codes: readonly string[],
): Promise<void> {
  await unit
    .trx<UploadRow>('uploads')
    .where({ id: upload.id })
    .update({ waitingFor: 'sender', nextAttemptAt: null, updatedAt: new Date() });
  unit.audit({
    actor,
    action: 'upload.waiting_for_sender',
    objectType: 'upload',
    objectId: upload.id,
    detail: { doubts: codes.join(' ') },
  });
  announceUpload(unit, upload);
}

/**
 * Sends an upload that waits for its sender back to the checks.
 *
 * @param set - further columns that change with it
 */
export async function examineAgain(
  unit: UnitOfWork,
  upload: UploadRow,
  set: Partial<Pick<UploadRow, 'onDoubt'>> = {},
): Promise<void> {
  await unit
    .trx<UploadRow>('uploads')
    .where({ id: upload.id })
    .update({ ...set, waitingFor: null, updatedAt: new Date() });
  unit.enqueue(intakeJob({ ...upload, nextAttemptAt: null }));
  announceUpload(unit, upload);
}

/** The size of an upload nobody announced is known when its file is there. */
export async function setTotalBytes(db: Queryable, id: string, totalBytes: number): Promise<void> {
  await db<UploadRow>('uploads').where({ id }).update({ totalBytes });
}
