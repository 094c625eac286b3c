import type { InstanceCounts, StudyStatus, UploadProblem, Warning } from '../contract/uploads.js';
import type { EarlyDelivery } from '../domain/early-delivery.js';
import type { PatientFacts } from '../studies/patients.js';
import type { Queryable } from './database.js';

export interface StudyRow {
  id: string;
  uploadId: string;
  studyInstanceUid: string;
  /** Key of the PACS it goes to. */
  target: string;
  /** The delivery this one repeats, because an administrator asked for it. */
  resendOf: string | null;
  /** Begun before all of its upload was checked; null: it was not, or is complete by now. */
  earlyDelivery: EarlyDelivery | null;
  /** What its images say of their patient that were looked at before all of its upload was checked, gone or not. */
  earlyPatients: PatientFacts[];
  /** Not worth another early run before then. */
  earlyDueAt: Date | null;
  patientName: string | null;
  patientId: string | null;
  patientBirthDate: string | null;
  patientSex: string | null;
  studyDate: string | null;
  studyDescription: string | null;
  accessionNumber: string | null;
  modalities: string[];
  seriesCount: number;
  status: StudyStatus;
  waitingFor: 'pacs' | null;
  /** Since then nothing of it got into its PACS, because that was away; `waitingFor` is taken back with every try. */
  waitingSince: Date | null;
  /** The history of the upload says that it waits. */
  waitTold: boolean;
  problem: UploadProblem | null;
  /** What seems to be missing, and what was sent before. */
  warnings: Warning[];
  claimedBy: string | null;
  claimExpiresAt: Date | null;
  attempts: number;
  nextAttemptAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
  deliveredAt: Date | null;
  /** Since then nothing of it is part of the upload; the row stays for what a PACS may have of it. */
  supersededAt: Date | null;
}

export type NewStudy = Omit<
  StudyRow,
  | 'status'
  | 'resendOf'
  | 'earlyDelivery'
  | 'earlyPatients'
  | 'earlyDueAt'
  | 'waitingFor'
  | 'waitingSince'
  | 'waitTold'
  | 'problem'
  | 'warnings'
  | 'claimedBy'
  | 'claimExpiresAt'
  | 'attempts'
  | 'nextAttemptAt'
  | 'createdAt'
  | 'updatedAt'
  | 'deliveredAt'
  | 'supersededAt'
> &
  Partial<Pick<StudyRow, 'warnings' | 'resendOf' | 'earlyDelivery' | 'earlyPatients'>>;

export async function insertStudy(db: Queryable, study: NewStudy): Promise<void> {
  const { warnings = [], earlyPatients = [] } = study;
  await db('studies').insert({
    ...study,
    warnings: JSON.stringify(warnings),
    earlyPatients: JSON.stringify(earlyPatients),
    status: 'pending',
  });
}

export async function findStudy(db: Queryable, id: string): Promise<StudyRow | undefined> {
  return db<StudyRow>('studies').where({ id }).first();
}

/**
 * Every delivery of what is part of an upload: the first of each study, and further ones of it that an administrator
 * asked for.
 */
export async function listStudies(db: Queryable, uploadIds: readonly string[]): Promise<StudyRow[]> {
  const studies = await listEverDelivered(db, uploadIds);
  const superseded = new Set(studies.filter(({ supersededAt }) => supersededAt !== null).map(({ id }) => id));
  return studies.filter(({ id, resendOf }) => !superseded.has(resendOf ?? id));
}

/** Those of {@link listStudies}, and those that are no longer part. */
export async function listEverDelivered(db: Queryable, uploadIds: readonly string[]): Promise<StudyRow[]> {
  return db<StudyRow>('studies')
    .whereIn('uploadId', [...uploadIds])
    .orderBy('id');
}

/** The first delivery of each study: what an upload's own state is made of. */
export async function listFirstDeliveries(db: Queryable, uploadIds: readonly string[]): Promise<StudyRow[]> {
  return (await listStudies(db, uploadIds)).filter(isFirstDelivery);
}

export const isFirstDelivery = ({ resendOf }: Pick<StudyRow, 'resendOf'>) => resendOf === null;

/** Forgets the studies of an upload of which nothing has gone towards a PACS. */
export async function deleteUnbegunStudies(trx: Queryable, uploadId: string): Promise<void> {
  await trx<StudyRow>('studies')
    .where({ uploadId, attempts: 0, resendOf: null, supersededAt: null })
    .delete();
}

export async function updateStudy(
  db: Queryable,
  id: string,
  change: Partial<
    Pick<
      StudyRow,
      | 'status'
      | 'waitingFor'
      | 'waitingSince'
      | 'waitTold'
      | 'problem'
      | 'attempts'
      | 'nextAttemptAt'
      | 'deliveredAt'
    >
  >,
): Promise<void> {
  await db<StudyRow>('studies')
    .where({ id })
    .update({ ...change, updatedAt: new Date() });
}

/** The patient a study was sent with before, by another upload. */
export type KnownPatient = Pick<
  StudyRow,
  'studyInstanceUid' | 'patientName' | 'patientId' | 'patientBirthDate'
>;

/** Whose studies these are by what the PACS has, or said that it stored, whatever became of the rest of them. */
export async function findKnownPatients(
  db: Queryable,
  studyInstanceUids: readonly string[],
  exceptUploadId: string,
): Promise<KnownPatient[]> {
  const inPacs = db('instances')
    .whereRaw('instances.study_id = studies.id')
    .whereIn('status', ['stored', 'warning', 'verified'])
    .whereNull('supersededAt')
    .select(db.raw('1'));
  return db<StudyRow>('studies')
    .whereIn('studyInstanceUid', [...studyInstanceUids])
    .whereNot({ uploadId: exceptUploadId })
    .where({ resendOf: null, supersededAt: null })
    .where((known) => known.where({ status: 'delivered' }).orWhereExists(inPacs))
    .select('studyInstanceUid', 'patientName', 'patientId', 'patientBirthDate');
}

export const NO_INSTANCES: InstanceCounts = {
  total: 0,
  stored: 0,
  verified: 0,
  verifiedBytes: 0,
  failed: 0,
  alreadyThere: 0,
  documents: 0,
};

/** How far the instances of each study are; a study without instances has no entry. */
export async function countInstances(
  db: Queryable,
  studyIds: readonly string[],
): Promise<Map<string, InstanceCounts>> {
  const rows: Array<InstanceCounts & { studyId: string }> = await db('instances as i')
    .join('uploadFiles as f', 'f.id', 'i.uploadFileId')
    .whereIn('i.studyId', [...studyIds])
    .whereNull('i.supersededAt')
    .groupBy('i.studyId')
    .select(
      'i.studyId',
      db.raw('count(*) AS total'),
      db.raw(`count(*) FILTER (WHERE i.status IN ('stored', 'warning', 'verified')) AS stored`),
      db.raw(`count(*) FILTER (WHERE i.status = 'verified') AS verified`),
      db.raw(`count(*) FILTER (WHERE i.status = 'verified' AND i.verification = 'bytes') AS verified_bytes`),
      db.raw(`count(*) FILTER (WHERE i.status = 'failed') AS failed`),
      db.raw(`count(*) FILTER (WHERE i.already_there) AS already_there`),
      db.raw(`count(*) FILTER (WHERE f.is_derived AND i.modality IN ('DOC', 'SR')) AS documents`),
    );
  return new Map(rows.map(({ studyId, ...counts }) => [studyId, counts]));
}

/** Instances of each study that the PACS holds, but with a remark; a study without any has no entry. */
export async function countRemarks(db: Queryable, studyIds: readonly string[]): Promise<Map<string, number>> {
  const rows: Array<{ studyId: string; remarks: number }> = await db('instances')
    .whereIn('studyId', [...studyIds])
    .where({ status: 'verified', supersededAt: null })
    .whereNotNull('problem')
    .groupBy('studyId')
    .select('studyId', db.raw('count(*) AS remarks'));
  return new Map(rows.map(({ studyId, remarks }) => [studyId, remarks]));
}
