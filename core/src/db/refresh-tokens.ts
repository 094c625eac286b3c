import type { Knex } from 'knex';
import type { Queryable } from './database.js';
import { holdTransactionLock } from './transaction-lock.js';

export interface RefreshTokenRow {
  id: string;
  userId: string;
  /** All tokens that came from one login by rotation. */
  familyId: string;
  tokenHash: Buffer;
  createdAt: Date;
  expiresAt: Date;
  rotatedAt: Date | null;
  revokedAt: Date | null;
}

export async function insertRefreshToken(
  db: Queryable,
  token: Pick<RefreshTokenRow, 'id' | 'userId' | 'familyId' | 'tokenHash' | 'expiresAt'>,
): Promise<void> {
  await db('refreshTokens').insert(token);
}

/**
 * Finds a token by its SHA-256 and holds its whole family until the transaction ends: a lock on the row alone would not
 * see the next token that another request is adding to the family.
 */
export async function lockRefreshFamily(
  trx: Knex.Transaction,
  tokenHash: Buffer,
): Promise<RefreshTokenRow | undefined> {
  const found = await trx<RefreshTokenRow>('refreshTokens').where({ tokenHash }).first('familyId');
  if (!found) return undefined;
  await holdTransactionLock(trx, `refresh family ${found.familyId}`);
  return trx<RefreshTokenRow>('refreshTokens').where({ tokenHash }).first();
}

/** True when any token of the login was ended. */
export async function isRefreshFamilyRevoked(db: Queryable, familyId: string): Promise<boolean> {
  const revoked = await db<RefreshTokenRow>('refreshTokens')
    .where({ familyId })
    .whereNotNull('revokedAt')
    .first('id');
  return revoked !== undefined;
}

export async function markRefreshTokenRotated(trx: Queryable, id: string): Promise<void> {
  await trx<RefreshTokenRow>('refreshTokens').where({ id }).update({ rotatedAt: new Date() });
}

/** Ends every token of a login. */
export async function revokeRefreshFamily(db: Queryable, familyId: string): Promise<void> {
  await db<RefreshTokenRow>('refreshTokens')
    .where({ familyId })
    .whereNull('revokedAt')
    .update({ revokedAt: new Date() });
}

export async function deleteExpiredRefreshTokens(db: Queryable, before: Date): Promise<number> {
  return db<RefreshTokenRow>('refreshTokens').where('expiresAt', '<', before).delete();
}
