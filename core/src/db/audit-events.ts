import { createHash } from 'node:crypto';
import type { Queryable } from './database.js';

/** Who did something, and from where; null for what RelayPACS does by itself. */
export interface Actor {
  userId: string | null;
  ip: string | null;
  requestId: string | null;
}

/** RelayPACS itself as an actor: the worker and its upkeep. */
export const SYSTEM_ACTOR: Actor = { userId: null, ip: null, requestId: null };

export interface AuditEntry {
  actor: Actor;
  /** `object.verb`, for example `upload.received`. */
  action: string;
  objectType: 'user' | 'upload' | 'study';
  objectId: string;
  /** Counts, codes and ids only: no patient data. */
  detail?: Record<string, string | number | boolean | null>;
}

interface AuditRow {
  seq: number;
  at: Date;
  actorId: string | null;
  action: string;
  objectType: string;
  objectId: string;
  detail: Record<string, unknown>;
  ip: string | null;
  requestId: string | null;
  previousHash: Buffer;
  hash: Buffer;
}

// Serialises the writers of the chain; the number is arbitrary but must never change.
const CHAIN_LOCK = 7_246_001;
const GENESIS = Buffer.alloc(32);

function canonical(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, canonical(item)]),
  );
}

/** SHA-256 over the hash before and every field of the row in a fixed order. */
function chainHash(row: Omit<AuditRow, 'hash'>): Buffer {
  const fields = [
    row.seq,
    row.at.toISOString(),
    row.actorId,
    row.action,
    row.objectType,
    row.objectId,
    canonical(row.detail),
    row.ip,
    row.requestId,
  ];
  return createHash('sha256').update(row.previousHash).update(JSON.stringify(fields)).digest();
}

/**
 * Appends entries to the hash-chained trail. Call it last in a transaction: it holds the chain's lock until the
 * transaction ends.
 */
export async function appendAuditEvents(db: Queryable, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await db.raw('SELECT pg_advisory_xact_lock(?)', [CHAIN_LOCK]);
  const last = await db<AuditRow>('auditEvents').orderBy('seq', 'desc').first('seq', 'hash');
  let seq = last?.seq ?? 0;
  let previousHash: Buffer = last?.hash ?? GENESIS;
  const at = new Date();
  const rows = entries.map((entry) => {
    seq += 1;
    const row = {
      seq,
      at,
      actorId: entry.actor.userId,
      action: entry.action,
      objectType: entry.objectType,
      objectId: entry.objectId,
      detail: entry.detail ?? {},
      ip: entry.actor.ip,
      requestId: entry.actor.requestId,
      previousHash,
    };
    const hash = chainHash(row);
    previousHash = hash;
    return { ...row, hash };
  });
  await db('auditEvents').insert(rows.map((row) => ({ ...row, detail: JSON.stringify(row.detail) })));
}

/** What happened to one object, oldest first. */
export async function listAuditEvents(
  db: Queryable,
  objectType: AuditEntry['objectType'],
  objectId: string,
): Promise<Array<Pick<AuditRow, 'at' | 'actorId' | 'action' | 'detail'>>> {
  return db<AuditRow>('auditEvents')
    .where({ objectType, objectId })
    .orderBy('seq')
    .select('at', 'actorId', 'action', 'detail');
}

/** The sequence number of the first row whose hash does not follow from the one before, or undefined. */
export async function findBrokenAuditLink(db: Queryable): Promise<number | undefined> {
  const BATCH = 1000;
  let previousHash: Buffer = GENESIS;
  let seq = 0;
  for (;;) {
    const rows = await db<AuditRow>('auditEvents').where('seq', '>', seq).orderBy('seq').limit(BATCH);
    for (const row of rows) {
      const { hash, ...rest } = row;
      const follows =
        row.seq === seq + 1 && row.previousHash.equals(previousHash) && chainHash(rest).equals(hash);
      if (!follows) return row.seq;
      previousHash = hash;
      seq = row.seq;
    }
    if (rows.length < BATCH) return undefined;
  }
}
