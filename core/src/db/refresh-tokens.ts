import type { Queryable } from './database.js';

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

/** Finds a token by its SHA-256 and holds its row until the transaction ends. */
export async function lockRefreshToken(
  trx: Queryable,
  tokenHash: Buffer,
): Promise<RefreshTokenRow | undefined> {
  return trx<RefreshTokenRow>('refreshTokens').where({ tokenHash }).forUpdate().first();
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
