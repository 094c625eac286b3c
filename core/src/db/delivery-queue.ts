import type { ServiceLevel } from '../contract/uploads.js';
import { type CircuitState, slotsOf } from '../domain/circuit.js';
import type { Eagerness } from '../domain/early-delivery.js';
import { priorityOf } from '../domain/service-level.js';
import type { Queryable } from './database.js';
import { listCircuits } from './pacs-circuits.js';
import { holdTransactionLock } from './transaction-lock.js';

/** A configured target, as far as the order of deliveries is concerned. */
export interface QueueTarget {
  key: string;
  /** Most studies at once. */
  concurrency: number;
}

/** Studies that are to be delivered: all of their upload was checked, or they are begun before. */
const mayGo = (eager: Eagerness) =>
  eager === 'off'
    ? WHOLE
    : `(${WHOLE} OR (s.early_delivery = 'going' AND u.status = 'uploading' AND u.expires_at > now()))`;

const WHOLE = `(u.status = 'delivering' OR s.resend_of IS NOT NULL)`;

/** Studies that could be delivered now: due, in nobody's hands, and no other delivery of the same study there runs. */
const waiting = (eager: Eagerness) => `
  s.status IN ('pending', 'delivering')
  AND (s.claimed_by IS NULL OR s.claim_expires_at < now())
  AND (s.next_attempt_at IS NULL OR s.next_attempt_at <= now())
  AND (s.early_delivery IS NULL OR s.early_due_at IS NULL OR s.early_due_at <= now())
  AND ${mayGo(eager)}
  AND s.target = ANY(:open)
  AND NOT EXISTS (
    SELECT 1 FROM studies o
    WHERE o.study_instance_uid = s.study_instance_uid AND o.target = s.target AND o.id <> s.id
      AND o.claimed_by IS NOT NULL AND o.claim_expires_at > now()
  )`;

const CLAIMED = 's.claimed_by IS NOT NULL AND s.claim_expires_at > now()';

const PRIORITY = `CASE u.service_level ${(['stat', 'emergency', 'routine'] as const)
  .map((level) => `WHEN '${level}' THEN ${priorityOf(level)}`)
  .join(' ')} END`;

/** Keys of targets that have room for one more study. */
async function targetsWithRoom(
  db: Queryable,
  targets: readonly QueueTarget[],
  givingUp?: string,
): Promise<string[]> {
  const keys = targets.map(({ key }) => key);
  const states = new Map(
    (await listCircuits(db, keys)).map(({ key, state }): [string, CircuitState] => [key, state]),
  );
  const running: Array<{ target: string; count: number }> = await db('studies')
    .whereNotNull('claimedBy')
    .where('claimExpiresAt', '>', db.fn.now())
    .groupBy('target')
    .select('target', db.raw('count(*) AS count'));
  const taken = new Map(running.map(({ target, count }) => [target, count]));
  return targets
    .filter(({ key, concurrency }) => {
      const slots = slotsOf(states.get(key) ?? 'closed', concurrency);
      return slots - (taken.get(key) ?? 0) + (key === givingUp ? 1 : 0) > 0;
    })
    .map(({ key }) => key);
}

/**
 * Claims the study whose turn it is: by service level, then the sender of whom least is under way, then the one who
 * was served longest ago, then the oldest. Claims of all workers follow one another, so that none takes more than a
 * target's share.
 *
 * @param seconds - how long the claim holds from now, by the database's clock
 * @param eager - whether this process delivers early
 * @returns its id; undefined when nothing can be delivered now
 */
export async function claimNextStudy(
  db: Queryable,
  targets: readonly QueueTarget[],
  holder: string,
  seconds: number,
  eager: Eagerness,
): Promise<string | undefined> {
  return db.transaction(async (trx) => {
    await holdTransactionLock(trx, 'delivery order');
    const open = await targetsWithRoom(trx, targets);
    if (open.length === 0) return undefined;
    for (;;) {
      const next = await findNext(trx, open, eager);
      if (!next) return undefined;
      const claimed = await trx('studies')
        .where({ id: next.id })
        .update({ claimedBy: holder, claimExpiresAt: trx.raw(`now() + ? * interval '1 second'`, [seconds]) });
      // Taken back meanwhile: it is gone, and the next one has its turn.
      if (claimed === 0) continue;
      await trx('deliveryTurns')
        .insert({ userId: next.userId, lastAt: trx.raw('clock_timestamp()') })
        .onConflict('userId')
        .merge();
      return next.id;
    }
  });
}

async function findNext(
  trx: Queryable,
  open: readonly string[],
  eager: Eagerness,
): Promise<{ id: string; userId: string } | undefined> {
  const { rows } = (await trx.raw(
    `SELECT s.id, u.user_id
       FROM studies s
       JOIN uploads u ON u.id = s.upload_id
       LEFT JOIN delivery_turns t ON t.user_id = u.user_id
       LEFT JOIN (
         SELECT bu.user_id, count(*) AS studies
         FROM studies bs JOIN uploads bu ON bu.id = bs.upload_id
         WHERE bs.claimed_by IS NOT NULL AND bs.claim_expires_at > now()
         GROUP BY bu.user_id
       ) busy ON busy.user_id = u.user_id
       WHERE ${waiting(eager)}
       ORDER BY ${PRIORITY}, coalesce(busy.studies, 0), t.last_at NULLS FIRST, s.created_at, s.id
       LIMIT 1`,
    { open: [...open] },
  )) as { rows: Array<{ id: string; userId: string }> };
  return rows[0];
}

/**
 * True while a more urgent study waits that could be delivered if one under way were put off.
 *
 * @param underWay - the one that would make room
 * @param eager - whether this process delivers early
 */
export async function isMoreUrgentWaiting(
  db: Queryable,
  targets: readonly QueueTarget[],
  underWay: { serviceLevel: ServiceLevel; target: string },
  eager: Eagerness,
): Promise<boolean> {
  const priority = priorityOf(underWay.serviceLevel);
  if (priority === 1) return false;
  const { rows } = (await db.raw(
    `SELECT DISTINCT s.target FROM studies s JOIN uploads u ON u.id = s.upload_id
     WHERE ${waiting(eager)} AND ${PRIORITY} < :priority`,
    { open: targets.map(({ key }) => key), priority },
  )) as { rows: Array<{ target: string }> };
  if (rows.length === 0) return false;
  const open = await targetsWithRoom(db, targets, underWay.target);
  return rows.some(({ target }) => open.includes(target));
}

/**
 * Studies of each target that wait or are under way; a target without any has no entry.
 *
 * @param eager - whether early ones are delivered
 */
export async function countDeliveries(
  db: Queryable,
  eager: Eagerness,
): Promise<Map<string, { waiting: number; running: number }>> {
  const rows: Array<{ target: string; waiting: number; running: number }> = await db('studies as s')
    .join('uploads as u', 'u.id', 's.uploadId')
    .whereIn('s.status', ['pending', 'delivering'])
    // One that was begun early is under way until its run ends, though its upload may be further on.
    .whereRaw(`(${CLAIMED} OR ${mayGo(eager)})`)
    .groupBy('s.target')
    .select(
      's.target',
      db.raw(`count(*) FILTER (WHERE (${CLAIMED}) IS NOT TRUE) AS waiting`),
      db.raw(`count(*) FILTER (WHERE ${CLAIMED}) AS running`),
    );
  return new Map(rows.map(({ target, ...counts }) => [target, counts]));
}
