import type { ContentStep } from '../archive/content-step.js';
import {
  FAULT_AFTER_EARLY_DELIVERY,
  type InstanceStatus,
  type UploadProblem,
  type VerificationLevel,
} from '../contract/uploads.js';
import { PACS_REFUSALS } from '../domain/pacs-refusals.js';
import { heldRow } from './claims.js';
import type { Queryable } from './database.js';

/** A piece of a repaired object: new bytes, or a range of the file. */
export type StoredPiece = { base64: string } | { offset: number; length: number };

export interface InstanceRow {
  id: string;
  studyId: string;
  uploadFileId: string;
  sopInstanceUid: string;
  seriesInstanceUid: string;
  sopClassUid: string;
  transferSyntaxUid: string;
  modality: string | null;
  seriesNumber: number | null;
  instanceNumber: number | null;
  /** The way from the uploaded file into archives; null: the object is the uploaded file. */
  steps: ContentStep[] | null;
  /** Where the object begins in its file, and its length; bytes. */
  sourceOffset: number;
  size: number;
  /** What a repaired object is made of; null: `size` bytes from `sourceOffset`. */
  pieces: StoredPiece[] | null;
  /** Of what is delivered. */
  sha256: Buffer;
  /** The PACS held the same bytes before anything was sent. */
  alreadyThere: boolean;
  status: InstanceStatus;
  problem: UploadProblem | null;
  /** How often its bytes were put into a STOW-RS request, without one that was refused before a retry. */
  sends: number;
  /** How often the PACS broke off on a request with only this instance, having stored others since the last time. */
  loneBreaks: number;
  /** When it last broke off on a request with this instance. */
  brokeAt: Date | null;
  /** How often it broke the connection off over this instance alone in a row, working in between; see {@link recordLoneBreak}. */
  breaksInRow: number;
  /** When it did so first. */
  breaksSince: Date | null;
  storedAt: Date | null;
  verifiedAt: Date | null;
  /** How it was proven that it arrived; null until it was. */
  verification: VerificationLevel | null;
  /** Since then it is no longer part of the upload, because what was entered was corrected; the PACS may have it. */
  supersededAt: Date | null;
  /** Key of the PACS it went to before. */
  supersededTarget: string | null;
}

export type NewInstance = Omit<
  InstanceRow,
  | 'steps'
  | 'pieces'
  | 'alreadyThere'
  | 'status'
  | 'problem'
  | 'sends'
  | 'loneBreaks'
  | 'brokeAt'
  | 'breaksInRow'
  | 'breaksSince'
  | 'storedAt'
  | 'verifiedAt'
  | 'verification'
  | 'supersededAt'
  | 'supersededTarget'
> &
  Partial<Pick<InstanceRow, 'steps' | 'pieces'>>;

const ROWS_PER_INSERT = 1000;

/** Many in one statement, with one parameter for a column: a thousand rows of values cost more to write out than to insert. */
export async function insertInstances(trx: Queryable, instances: readonly NewInstance[]): Promise<void> {
  for (let from = 0; from < instances.length; from += ROWS_PER_INSERT) {
    const rows = instances.slice(from, from + ROWS_PER_INSERT);
    const column = <T>(value: (row: NewInstance) => T) => rows.map(value);
    const json = (value: unknown) => (value ? JSON.stringify(value) : null);
    await trx.raw(
      `INSERT INTO instances (id, study_id, upload_file_id, sop_instance_uid, series_instance_uid, sop_class_uid,
         transfer_syntax_uid, modality, series_number, instance_number, source_offset, size, sha256, steps, pieces, status)
       SELECT id, study_id, upload_file_id, sop_instance_uid, series_instance_uid, sop_class_uid,
         transfer_syntax_uid, modality, series_number, instance_number, source_offset, size, sha256, steps::jsonb,
         pieces::jsonb, 'pending'
       FROM unnest(CAST(:ids AS uuid[]), CAST(:studyIds AS uuid[]), CAST(:fileIds AS uuid[]), CAST(:sops AS text[]),
         CAST(:series AS text[]), CAST(:classes AS text[]), CAST(:syntaxes AS text[]), CAST(:modalities AS text[]),
         CAST(:seriesNumbers AS integer[]), CAST(:numbers AS integer[]), CAST(:offsets AS bigint[]),
         CAST(:sizes AS bigint[]), CAST(:digests AS bytea[]), CAST(:steps AS text[]), CAST(:pieces AS text[]))
         AS new (id, study_id, upload_file_id, sop_instance_uid, series_instance_uid, sop_class_uid,
           transfer_syntax_uid, modality, series_number, instance_number, source_offset, size, sha256, steps, pieces)`,
      {
        ids: column(({ id }) => id),
        studyIds: column(({ studyId }) => studyId),
        fileIds: column(({ uploadFileId }) => uploadFileId),
        sops: column(({ sopInstanceUid }) => sopInstanceUid),
        series: column(({ seriesInstanceUid }) => seriesInstanceUid),
        classes: column(({ sopClassUid }) => sopClassUid),
        syntaxes: column(({ transferSyntaxUid }) => transferSyntaxUid),
        modalities: column(({ modality }) => modality),
        seriesNumbers: column(({ seriesNumber }) => seriesNumber),
        numbers: column(({ instanceNumber }) => instanceNumber),
        offsets: column(({ sourceOffset }) => sourceOffset),
        sizes: column(({ size }) => size),
        digests: column(({ sha256 }) => sha256),
        steps: column(({ steps }) => json(steps)),
        pieces: column(({ pieces }) => json(pieces)),
      },
    );
  }
}

/** Those that are part of the study, in series and instance order, so that a study arrives as a person would read it. */
export async function listInstances(db: Queryable, studyId: string): Promise<InstanceRow[]> {
  return db<InstanceRow>('instances')
    .where({ studyId, supersededAt: null })
    .orderBy(['seriesNumber', 'seriesInstanceUid', 'instanceNumber', 'id']);
}

/**
 * Instances of all studies of an upload, those included that are no longer part, in the order they were found.
 *
 * @param after - the id of the last row of the page before
 */
export async function listUploadInstances(
  db: Queryable,
  uploadId: string,
  status: InstanceStatus | undefined,
  limit: number,
  after?: string,
): Promise<InstanceRow[]> {
  const query = db<InstanceRow>('instances')
    .whereIn('studyId', db('studies').where({ uploadId }).select('id'))
    .orderBy('id')
    .limit(limit);
  if (status !== undefined) query.where({ status });
  if (after !== undefined) query.where('id', '>', after);
  return query;
}

/** A study, and the process that may write what becomes of its instances. */
export interface HeldStudy {
  id: string;
  holder: string;
}

/**
 * Writes to instances of a study in one statement, if `holder` has it.
 *
 * @returns how many rows were written: none when somebody else has the study
 */
async function writeHeld(
  db: Queryable,
  { id, holder }: HeldStudy,
  ids: readonly string[],
  change: Record<string, unknown>,
): Promise<number> {
  return (
    db('instances')
      .with('held', heldRow(db, 'studies', id, holder))
      .whereRaw('instances.study_id = (SELECT held.id FROM held)')
      // One parameter: a statement takes 65,535 of them, and a study may have more instances.
      .whereRaw('instances.id = ANY(?::uuid[])', [[...ids]])
      .update(change)
  );
}

/** Records that the PACS held these before anything of them was sent. @returns see {@link writeHeld} */
export async function recordAlreadyThere(
  db: Queryable,
  study: HeldStudy,
  ids: readonly string[],
): Promise<number> {
  return writeHeld(db, study, ids, { alreadyThere: true });
}

/** An instance that went to the PACS before, by another upload. */
export interface EarlierInstance {
  sopInstanceUid: string;
  sha256: Buffer;
  studyInstanceUid: string;
  /** When its study was taken in. */
  createdAt: Date;
  /** Sent by the same account. */
  isOwn: boolean;
}

/** Which of these instances the PACS confirmed for other uploads since `since`; one may be there several times. */
export async function findEarlierInstances(
  db: Queryable,
  sopInstanceUids: readonly string[],
  upload: { id: string; userId: string },
  since: Date,
): Promise<EarlierInstance[]> {
  return (
    db('instances as i')
      .join('studies as s', 's.id', 'i.studyId')
      .join('uploads as u', 'u.id', 's.uploadId')
      // One parameter: a statement takes 65,535 of them.
      .whereRaw('i.sop_instance_uid = ANY(?::text[])', [[...sopInstanceUids]])
      .where('i.status', 'verified')
      // What was sent again was sent before: it is counted once, and by the day it first went.
      .whereNull('s.resendOf')
      .where('s.createdAt', '>=', since)
      .whereNot('u.id', upload.id)
      .select(
        'i.sopInstanceUid',
        'i.sha256',
        's.studyInstanceUid',
        's.createdAt',
        db.raw('u.user_id = ? AS is_own', [upload.userId]),
      )
  );
}

/** Counts a send before the first byte of it leaves. @returns see {@link writeHeld} */
export async function recordSends(db: Queryable, study: HeldStudy, ids: readonly string[]): Promise<number> {
  return writeHeld(db, study, ids, { sends: db.raw('sends + 1') });
}

/** Records that the PACS broke off on a request with these instances. @returns see {@link writeHeld} */
export async function recordBrokenRequest(
  db: Queryable,
  study: HeldStudy,
  ids: readonly string[],
): Promise<number> {
  return writeHeld(db, study, ids, { brokeAt: new Date() });
}

/** How often a PACS broke off over one instance alone. */
export interface LoneBreaks {
  /** Times between which it stored others. */
  whileOthersWent: number;
  /** Times in a row between which it worked, by whatever sign. */
  inRow: number;
  /** From the first to the last of those in a row; milliseconds. */
  inRowMs: number;
}

const TARGET = '(SELECT own.target FROM studies own WHERE own.id = instances.study_id)';
/** Since the last break; one that was never sent was merely found there. */
const OTHERS_WENT = `EXISTS (
  SELECT 1 FROM instances other JOIN studies theirs ON theirs.id = other.study_id
  WHERE theirs.target = ${TARGET} AND other.id <> instances.id
    AND other.sends > 0 AND other.stored_at > instances.broke_at
)`;
/** Others were sent there, too, and were not taken; nor did it take any since it first broke off over them. */
const OTHERS_STUCK = `EXISTS (
  SELECT 1 FROM instances other JOIN studies theirs ON theirs.id = other.study_id
  WHERE theirs.target = ${TARGET} AND theirs.status IN ('pending', 'delivering') AND other.id <> instances.id
    AND other.status = 'pending' AND other.superseded_at IS NULL
    AND other.sends > 0 AND other.lone_breaks = 0
)`;
/** Its probe was answered since the last break, and is still. */
const PROBE_ANSWERED = `EXISTS (
  SELECT 1 FROM pacs_circuits circuit
  WHERE circuit.key = ${TARGET} AND circuit.latency_ms IS NOT NULL AND circuit.checked_at > instances.broke_at
)`;
/** Longer than this is between two tries of a study that waits for nothing else: there was an outage, or we were away. */
const LONGEST_PAUSE_MS = 5 * 60_000;

/**
 * Records that the PACS broke off on a request with only this instance. It counts against the instance only if that
 * PACS worked since the last time: it took others, of whatever study; or, for breaks in a row, it answers its probe and
 * there is nothing else that it did not take.
 *
 * @param wasDropped - it broke the connection off; otherwise it said that it failed, or fell silent, as a PACS does whose
 * disk is full or gone, and breaks in a row begin anew
 */
export async function recordLoneBreak(db: Queryable, id: string, wasDropped: boolean): Promise<LoneBreaks> {
  const now = new Date();
  const goesOn = `:wasDropped AND breaks_since IS NOT NULL AND broke_at > :earliest
    AND (${OTHERS_WENT} OR (${PROBE_ANSWERED} AND NOT ${OTHERS_STUCK}))`;
  const values = { wasDropped, now, earliest: new Date(now.getTime() - LONGEST_PAUSE_MS) };
  const set = (sql: string) => db.raw(sql, values);
  const [row] = await db<InstanceRow>('instances')
    .where({ id })
    .update({
      loneBreaks: db.raw(`lone_breaks + CASE WHEN ${OTHERS_WENT} THEN 1 ELSE 0 END`),
      breaksInRow: set(`CASE WHEN ${goesOn} THEN breaks_in_row + 1 WHEN :wasDropped THEN 1 ELSE 0 END`),
      breaksSince: set(
        `CASE WHEN ${goesOn} THEN breaks_since WHEN :wasDropped THEN :now::timestamptz ELSE NULL END`,
      ),
      brokeAt: now,
    })
    .returning(['loneBreaks', 'breaksInRow', 'breaksSince']);
  return {
    whileOthersWent: row?.loneBreaks ?? 0,
    inRow: row?.breaksInRow ?? 0,
    inRowMs: now.getTime() - (row?.breaksSince ?? now).getTime(),
  };
}

/**
 * Gives the failed instances of a study another chance, with nothing held against them; not those that must not go and
 * went early.
 */
export async function reopenFailedInstances(db: Queryable, studyId: string): Promise<void> {
  await db<InstanceRow>('instances')
    .where({ studyId, status: 'failed' })
    .whereRaw(`problem->>'code' IS DISTINCT FROM ?`, [FAULT_AFTER_EARLY_DELIVERY])
    .update({
      status: 'pending',
      problem: null,
      // What the PACS refused the only time it was sent is certainly not there.
      sends: db.raw(
        `CASE WHEN sends = 1 AND stored_at IS NULL AND coalesce(problem->>'code', '') = ANY(?::text[]) THEN 0 ELSE sends END`,
        [[...PACS_REFUSALS]],
      ),
      loneBreaks: 0,
      brokeAt: null,
      breaksInRow: 0,
      breaksSince: null,
    });
}

/**
 * Records what the PACS said of instances. A remark of the PACS stays with an instance when it is verified.
 *
 * @param verification - of verified ones: how
 * @returns see {@link writeHeld}
 */
export async function recordInstanceStatus(
  db: Queryable,
  study: HeldStudy,
  ids: readonly string[],
  status: InstanceStatus,
  problem: UploadProblem | null = null,
  verification: VerificationLevel | null = null,
): Promise<number> {
  const now = new Date();
  return writeHeld(db, study, ids, {
    status,
    verification,
    ...(status === 'verified' && problem === null ? {} : { problem }),
    ...(status === 'stored' || status === 'warning' ? { storedAt: now } : {}),
    // One that was not known to be stored was found there.
    ...(status === 'verified'
      ? {
          verifiedAt: now,
          storedAt: db.raw(`CASE WHEN status = 'pending' THEN ? ELSE stored_at END`, [now]),
        }
      : {}),
  });
}
