import { FAULT_AFTER_EARLY_DELIVERY, type UploadProblem } from '../contract/uploads.js';
import type { WentOut } from '../domain/early-delivery.js';
import { PACS_REFUSALS } from '../domain/pacs-refusals.js';
import type { PatientFacts } from '../studies/patients.js';
import type { Queryable } from './database.js';
import { insertInstances, type NewInstance } from './instances.js';
import type { NewStudy, StudyRow } from './studies.js';

/** The studies of an upload that were begun early, held until the transaction ends. */
export async function lockEarlyStudies(trx: Queryable, uploadId: string): Promise<StudyRow[]> {
  return trx<StudyRow>('studies').where({ uploadId }).whereNotNull('earlyDelivery').orderBy('id').forUpdate();
}

/** SOP Instance UIDs of what was handed to early delivery. */
export async function listTakenEarly(
  db: Queryable,
  studies: ReadonlyArray<Pick<StudyRow, 'id'>>,
): Promise<Set<string>> {
  const rows: Array<{ sopInstanceUid: string }> = await db('instances')
    .whereIn('studyId', idsOf(studies))
    .select('sopInstanceUid');
  return new Set(rows.map(({ sopInstanceUid }) => sopInstanceUid));
}

/** The files of an upload of which the image was handed to early delivery. */
export async function listFilesTakenEarly(db: Queryable, uploadId: string): Promise<Set<string>> {
  const rows: Array<{ uploadFileId: string }> = await db('instances')
    .join('studies', 'studies.id', 'instances.studyId')
    .where('studies.uploadId', uploadId)
    .whereNotNull('studies.earlyDelivery')
    .select('instances.uploadFileId');
  return new Set(rows.map(({ uploadFileId }) => uploadFileId));
}

/** Writes down what the images of a study that were looked at say of their patient, gone or not. */
export async function noteEarlyPatients(
  trx: Queryable,
  id: string,
  patients: readonly PatientFacts[],
): Promise<void> {
  await trx('studies')
    .where({ id })
    .update({ earlyPatients: JSON.stringify(patients) });
}

/**
 * Adds what has arrived of a study that was begun early, and lets its delivery go on.
 *
 * @param patients - see {@link noteEarlyPatients}
 */
export async function growEarlyStudy(
  trx: Queryable,
  study: StudyRow,
  more: Omit<NewStudy, 'target'>,
  instances: readonly NewInstance[],
  patients: readonly PatientFacts[],
): Promise<void> {
  await insertInstances(
    trx,
    instances.map((instance) => ({ ...instance, studyId: study.id })),
  );
  const isMany = (await countPending(trx, study.id)) >= MANY_IMAGES;
  const { patientName, patientId, patientBirthDate, patientSex } = more;
  const { studyDate, studyDescription, accessionNumber } = more;
  // What one image lacks another may have.
  const known = { patientName, patientId, patientBirthDate, patientSex, studyDate };
  const missing = Object.entries({ ...known, studyDescription, accessionNumber }).filter(
    ([name]) => study[name as keyof StudyRow] === null,
  );
  await trx('studies')
    .where({ id: study.id })
    .update({
      ...Object.fromEntries(missing),
      modalities: [...new Set([...study.modalities, ...more.modalities])].sort(),
      seriesCount: trx('instances').where({ studyId: study.id }).countDistinct('seriesInstanceUid'),
      earlyDelivery: 'going',
      earlyPatients: JSON.stringify(patients),
      ...(isMany ? { earlyDueAt: null } : {}),
      updatedAt: new Date(),
    });
}

/** Each run asks the PACS before and after what it has of the whole study: so many images are worth it at once. */
const MANY_IMAGES = 20;
/** Fewer of them wait until that long after the run before. */
const RUN_EVERY_SECONDS = 5;

async function countPending(db: Queryable, studyId: string): Promise<number> {
  const [row]: Array<{ pending: number }> = await db('instances')
    .where({ studyId, status: 'pending' })
    .select(db.raw('count(*) AS pending'));
  return row?.pending ?? 0;
}

/**
 * Notes that a run at a study that was begun early has dealt with all it knew of.
 *
 * @param left - instances that were added meanwhile
 */
export async function endEarlyRun(
  trx: Queryable,
  { id, attempts, earlyDelivery }: StudyRow,
  left: number,
): Promise<void> {
  const isOver = earlyDelivery === 'going' && left === 0;
  await trx('studies')
    .where({ id })
    .update({
      earlyDelivery: isOver ? 'waiting' : earlyDelivery,
      earlyDueAt:
        left >= MANY_IMAGES ? null : trx.raw(`now() + ? * interval '1 second'`, [RUN_EVERY_SECONDS]),
      // Runs that ended well count nothing against the next one.
      attempts: Math.min(attempts, 1),
      waitingFor: null,
      problem: null,
      updatedAt: new Date(),
    });
}

/** Whether somebody delivers one of these studies now. */
export async function isAnyUnderWay(
  db: Queryable,
  studies: ReadonlyArray<Pick<StudyRow, 'id'>>,
): Promise<boolean> {
  const claimed = await db('studies')
    .whereIn('id', idsOf(studies))
    .whereNotNull('claimedBy')
    .where('claimExpiresAt', '>', db.fn.now())
    .first('id');
  return claimed !== undefined;
}

/** Ends a study of an upload whose time is over, with what is told of it; the row says what the PACS has of it. */
export async function expireEarlyStudy(trx: Queryable, id: string, problem: UploadProblem): Promise<void> {
  await trx('studies')
    .where({ id })
    .update({
      ...FREE,
      status: 'failed',
      earlyDelivery: 'stopped',
      waitingFor: null,
      problem,
      nextAttemptAt: null,
      updatedAt: new Date(),
    });
}

/** Forgets studies of which nothing has gone; who is about to deliver one finds it gone. */
export async function deleteEarlyStudies(
  trx: Queryable,
  studies: ReadonlyArray<Pick<StudyRow, 'id'>>,
): Promise<void> {
  await trx<StudyRow>('studies').whereIn('id', idsOf(studies)).delete();
}

const idsOf = (studies: ReadonlyArray<Pick<StudyRow, 'id'>>) => studies.map(({ id }) => id);

/** Whether the image in a file was handed to early delivery. */
export async function isTakenEarly(trx: Queryable, fileId: string): Promise<boolean> {
  return (await trx('instances').where({ uploadFileId: fileId }).first('id')) !== undefined;
}

/**
 * Lets nothing more of a study go before all of its upload was checked. Who delivers it loses the claim, and with it
 * the right to begin another request.
 */
export async function stopEarlyStudy(trx: Queryable, id: string): Promise<void> {
  await trx('studies')
    .where({ id })
    .update({
      ...FREE,
      earlyDelivery: 'stopped',
      waitingFor: null,
      problem: null,
      nextAttemptAt: afterSettling(trx),
      updatedAt: new Date(),
    });
}

/**
 * The instances of these studies that went out to the PACS, without those it refused. A send is counted before its first
 * byte leaves, so one without an answer may be there or not.
 */
export async function listWentOut(
  db: Queryable,
  studies: ReadonlyArray<Pick<StudyRow, 'id'>>,
): Promise<WentOut[]> {
  return db('instances')
    .join('studies', 'studies.id', 'instances.studyId')
    .whereIn('instances.studyId', idsOf(studies))
    .where('instances.sends', '>', 0)
    .where((there) =>
      there
        .whereNot('instances.status', 'failed')
        .orWhereNotNull('instances.storedAt')
        .orWhereRaw(`NOT (coalesce(instances.problem->>'code', '') = ANY(?::text[]))`, [[...PACS_REFUSALS]])
        // What was refused in the end may have arrived before, in a request that had no answer.
        .orWhere('instances.sends', '>', 1),
    )
    .select('instances.id', 'instances.studyId', 'instances.uploadFileId', 'studies.target')
    .select(db.raw('instances.stored_at IS NOT NULL AS is_there'));
}

/** Whether these studies have instances that are still to be delivered, besides those that went and should not have. */
export async function hasUndelivered(
  db: Queryable,
  studies: ReadonlyArray<Pick<StudyRow, 'id'>>,
): Promise<boolean> {
  const missing = await db('instances')
    .whereIn('studyId', idsOf(studies))
    .whereNot({ status: 'verified' })
    .whereNull('supersededAt')
    .whereRaw(`problem->>'code' IS DISTINCT FROM ?`, [FAULT_AFTER_EARLY_DELIVERY])
    .first('id');
  return missing !== undefined;
}

/** What the check of a whole upload makes of the instances of a study of which something went early. */
export interface EarlyInstances {
  /** Went, and should not have: ids, and what is told of them. */
  faulty: readonly string[];
  problem: UploadProblem | null;
  /** Did not go, and shall not: ids. */
  dropped: readonly string[];
}

/**
 * After which a delivery that was under way is taken up again, and after the end of its claim: whoever had it learns that
 * it is gone when the claim is renewed, every 5 s, or, without the database, when it would have run out; and what was last
 * sent may still be arriving then.
 */
const SETTLE_SECONDS = 5;

/** When a study whose claim is taken away may be taken up again; a longer wait that it has is kept. */
const afterSettling = (trx: Queryable) =>
  trx.raw(
    `greatest(next_attempt_at, CASE WHEN claimed_by IS NOT NULL AND claim_expires_at > now()
       THEN greatest(claim_expires_at, now() + interval '5 seconds') + ? * interval '1 second' END)`,
    [SETTLE_SECONDS],
  );

/**
 * Makes of a study that was begun early a study as any other: what was found, what is left to deliver, and what went
 * and should not have. Where something shall not go, whoever delivers it loses the claim and begins no more requests.
 * One that has begun goes on: what the PACS refused is not given to it again before somebody asks for that.
 *
 * @param study - as the whole upload shows it; undefined: nothing of it can be read any more
 * @param added - instances it did not have
 */
export async function completeEarlyStudy(
  trx: Queryable,
  id: string,
  study: Omit<NewStudy, 'target'> | undefined,
  added: readonly NewInstance[],
  instances: EarlyInstances,
): Promise<void> {
  await settleEarlyInstances(trx, id, instances);
  await insertInstances(
    trx,
    added.map((instance) => ({ ...instance, studyId: id })),
  );
  const isCut = instances.faulty.length + instances.dropped.length > 0;
  await trx('studies')
    .where({ id })
    .update({
      ...(study ? attributesOf(study) : {}),
      ...WHOLE,
      waitingFor: null,
      problem: null,
      updatedAt: new Date(),
      ...(isCut ? { ...FREE, nextAttemptAt: afterSettling(trx) } : {}),
    });
}

function attributesOf({
  id,
  uploadId,
  studyInstanceUid,
  resendOf,
  earlyDelivery,
  earlyPatients,
  warnings = [],
  ...attributes
}: Omit<NewStudy, 'target'>) {
  return { ...attributes, warnings: JSON.stringify(warnings) };
}

/** Ends a study that was begun early and shall not be delivered, with what is told of it. */
export async function failEarlyStudy(trx: Queryable, id: string, instances: EarlyInstances): Promise<void> {
  await settleEarlyInstances(trx, id, instances);
  await trx('studies')
    .where({ id })
    .update({
      ...FREE,
      ...WHOLE,
      status: 'failed',
      problem: instances.problem,
      waitingFor: null,
      nextAttemptAt: null,
      updatedAt: new Date(),
    });
}

/** All of its upload was checked. */
const WHOLE = { earlyDelivery: null, earlyPatients: '[]', earlyDueAt: null };

const FREE = { claimedBy: null, claimExpiresAt: null };

async function settleEarlyInstances(
  trx: Queryable,
  studyId: string,
  { faulty, dropped, problem }: EarlyInstances,
): Promise<void> {
  // One parameter each: a statement takes 65,535 of them, and a study may have more instances.
  const among = (ids: readonly string[]) =>
    trx('instances')
      .where({ studyId })
      .whereRaw('id = ANY(?::uuid[])', [[...ids]]);
  await among(dropped).delete();
  await among(faulty).update({ status: 'failed', problem });
}
