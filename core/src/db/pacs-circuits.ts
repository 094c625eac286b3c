import type { Knex } from 'knex';
import type { UploadProblem } from '../contract/uploads.js';
import type { CircuitState } from '../domain/circuit.js';
import type { Queryable } from './database.js';
import { endWaits } from './pacs-waits.js';
import type { StudyRow } from './studies.js';
import type { UnitOfWork } from './unit-of-work.js';
import { announceUpload, type UploadRow } from './uploads.js';

/** What all workers know of one PACS. */
export interface CircuitRow {
  /** Of the target, as in the configuration. */
  key: string;
  state: CircuitState;
  /** Why it is not closed, for programs. */
  kind: string | null;
  /** The same for the operator; tells of no study. */
  reason: string | null;
  /** Failures in a row. */
  failures: number;
  /** When it last stopped working. */
  openedAt: Date | null;
  /** When it was last asked, and how long the answer took. */
  checkedAt: Date | null;
  latencyMs: number | null;
  nextProbeAt: Date;
}

/** Makes a row for each target that has none yet. */
export async function ensureCircuits(db: Queryable, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await db('pacsCircuits')
    .insert(keys.map((key) => ({ key })))
    .onConflict('key')
    .ignore();
}

export async function listCircuits(db: Queryable, keys: readonly string[]): Promise<CircuitRow[]> {
  return db<CircuitRow>('pacsCircuits')
    .whereIn('key', [...keys])
    .orderBy('key');
}

/** Reads a circuit and holds its row until the transaction ends. */
export async function lockCircuit(trx: Queryable, key: string): Promise<CircuitRow | undefined> {
  return trx<CircuitRow>('pacsCircuits').where({ key }).forUpdate().first();
}

/**
 * Takes a probe that is due, so that of all workers one asks.
 *
 * @param seconds - after which another worker may ask, should this one never report
 */
export async function takeDueProbe(
  db: Queryable,
  keys: readonly string[],
  seconds: number,
): Promise<CircuitRow | undefined> {
  const due = db<CircuitRow>('pacsCircuits')
    .whereIn('key', [...keys])
    .where('nextProbeAt', '<=', db.fn.now())
    .orderBy('nextProbeAt')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .select('key');
  const [row] = await db<CircuitRow>('pacsCircuits')
    .whereIn('key', due)
    .update({ nextProbeAt: db.raw(`now() + ? * interval '1 second'`, [seconds]) })
    .returning('*');
  return row;
}

/** @param change.probeInSeconds - until it is asked again, by the database's clock */
export async function updateCircuit(
  db: Queryable,
  key: string,
  {
    probeInSeconds,
    ...change
  }: Partial<Omit<CircuitRow, 'key' | 'nextProbeAt'>> & { probeInSeconds?: number },
): Promise<void> {
  await db<CircuitRow>('pacsCircuits')
    .where({ key })
    .update({
      ...change,
      ...(probeInSeconds === undefined
        ? {}
        : { nextProbeAt: db.raw(`now() + ? * interval '1 second'`, [probeInSeconds]) }),
    });
}

/** Held in the order of their ids, as everybody does who holds several. */
const idle = (trx: Queryable) =>
  trx<StudyRow>('studies')
    .whereIn('status', ['pending', 'delivering'])
    // Of one that waits for images, or for the check of all of its upload, nothing is to go now.
    .where((sendable) => sendable.whereNull('earlyDelivery').orWhere({ earlyDelivery: 'going' }))
    .where((free) => free.whereNull('claimedBy').orWhere('claimExpiresAt', '<', trx.fn.now()))
    .orderBy('id')
    .forUpdate()
    .select('id');

async function mark(
  { trx }: UnitOfWork,
  which: Knex.QueryBuilder,
  change: Pick<StudyRow, 'waitingFor' | 'problem'> & { waitingSince?: Knex.Raw },
): Promise<Array<{ id: string; uploadId: string }>> {
  return trx('studies')
    .with('held', which)
    .whereRaw('id IN (SELECT held.id FROM held)')
    .update({ ...change, updatedAt: new Date() })
    .returning(['id', 'uploadId']);
}

/**
 * Says of every study that is to go to a PACS which takes nothing now that it waits, and tells whom it belongs to.
 *
 * @param problem - what somebody has to do about it; null where it passes by itself
 */
export async function markWaitingForPacs(
  unit: UnitOfWork,
  which: { target: string } | { notIn: readonly string[] },
  problem: UploadProblem | null,
): Promise<void> {
  const query = idle(unit.trx).where((other) =>
    other
      .whereNull('waitingFor')
      .orWhereRaw('problem IS DISTINCT FROM ?::jsonb', [problem === null ? null : JSON.stringify(problem)]),
  );
  if ('target' in which) query.where({ target: which.target });
  else query.whereNotIn('target', [...which.notIn]);
  const waitingSince = unit.trx.raw('coalesce(waiting_since, now())');
  await announce(unit, await mark(unit, query, { waitingFor: 'pacs', problem, waitingSince }));
}

/** Takes that back for studies whose PACS takes them again; one that is put off for a reason of its own still waits. */
export async function markGoingOn(unit: UnitOfWork, target: string): Promise<void> {
  const query = idle(unit.trx)
    .where({ target, waitingFor: 'pacs' })
    .where((due) => due.whereNull('nextAttemptAt').orWhere('nextAttemptAt', '<=', unit.trx.fn.now()));
  const studies = await mark(unit, query, { waitingFor: null, problem: null });
  await endWaits(
    unit,
    studies.map(({ id }) => id),
  );
  await announce(unit, studies);
}

async function announce(unit: UnitOfWork, studies: ReadonlyArray<{ uploadId: string }>): Promise<void> {
  if (studies.length === 0) return;
  const uploads = await unit
    .trx<UploadRow>('uploads')
    // As one value: a list of them could outgrow what one statement may bind.
    .whereRaw('id = ANY(?)', [[...new Set(studies.map(({ uploadId }) => uploadId))]])
    .select('id', 'userId', 'status', 'isHidden');
  for (const upload of uploads) announceUpload(unit, upload);
}
