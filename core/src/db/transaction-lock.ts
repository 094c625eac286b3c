import type { Knex } from 'knex';

/**
 * Holds off every other transaction that asks for the same name, until this one ends. Names are hashed to 64 bits: two
 * that meet by chance only wait for each other.
 */
export async function holdTransactionLock(trx: Knex.Transaction, name: string): Promise<void> {
  await trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [name]);
}
