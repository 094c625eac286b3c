import type { Knex } from 'knex';
import type { Queryable } from './database.js';

/**
 * A claim says which process works on a row now. It runs out by itself, so a killed worker's row is free again
 * soon; every write of the work is guarded by {@link holdsClaim}, so a worker that was only slow cannot go on.
 */
export type ClaimedTable = 'uploads' | 'studies';

/**
 * Takes the claim on a row that is free, or whose claim has run out.
 *
 * @param seconds - how long it holds from now, by the database's clock
 * @returns false when another process holds it
 */
export async function claim(
  db: Queryable,
  table: ClaimedTable,
  id: string,
  holder: string,
  seconds: number,
): Promise<boolean> {
  const taken: number = await db(table)
    .where({ id })
    .where((free) =>
      free.whereNull('claimedBy').orWhere('claimedBy', holder).orWhere('claimExpiresAt', '<', db.fn.now()),
    )
    .update({ claimedBy: holder, claimExpiresAt: db.raw(`now() + ? * interval '1 second'`, [seconds]) });
  return taken === 1;
}

/**
 * Prolongs a claim. Unlike {@link claim} it never takes a row that is free: a holder that lost its claim does not
 * know what others did to the row since.
 *
 * @param seconds - how long it holds from now, by the database's clock
 * @returns false when `holder` no longer has the row
 */
export async function renewClaim(
  db: Queryable,
  table: ClaimedTable,
  id: string,
  holder: string,
  seconds: number,
): Promise<boolean> {
  const renewed: number = await db(table)
    .where({ id, claimedBy: holder })
    .update({ claimExpiresAt: db.raw(`now() + ? * interval '1 second'`, [seconds]) });
  return renewed === 1;
}

/** True while `holder` has the row; inside a transaction the row stays held until its end. */
export async function holdsClaim(
  trx: Queryable,
  table: ClaimedTable,
  id: string,
  holder: string,
): Promise<boolean> {
  const row = await heldRow(trx, table, id, holder).first();
  return row !== undefined;
}

/**
 * The id of the row while `holder` has it, held until the end of the statement: for a single statement that writes only
 * as long as the claim is ours, without a transaction around it.
 */
export function heldRow(db: Queryable, table: ClaimedTable, id: string, holder: string): Knex.QueryBuilder {
  return db(table).where({ id, claimedBy: holder }).forUpdate().select('id');
}

/** Gives the row back, if `holder` still has it. */
export async function releaseClaim(
  db: Queryable,
  table: ClaimedTable,
  id: string,
  holder: string,
): Promise<void> {
  await db(table).where({ id, claimedBy: holder }).update({ claimedBy: null, claimExpiresAt: null });
}
