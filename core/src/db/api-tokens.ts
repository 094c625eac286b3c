import type { ApiTokenScope } from '../contract/api-tokens.js';
import type { Queryable } from './database.js';

export interface ApiTokenRow {
  id: string;
  userId: string;
  name: string;
  /** SHA-256; the token itself is nowhere. */
  tokenHash: Buffer;
  scopes: ApiTokenScope[];
  createdAt: Date;
  expiresAt: Date;
  /** Kept to the minute. */
  lastUsedAt: Date | null;
  revokedAt: Date | null;
}

/** The tokens that can still be used: neither revoked nor expired. */
const live = (db: Queryable) =>
  db<ApiTokenRow>('apiTokens').whereNull('revokedAt').where('expiresAt', '>', new Date());

export async function insertApiToken(
  db: Queryable,
  token: Pick<ApiTokenRow, 'id' | 'userId' | 'name' | 'tokenHash' | 'scopes' | 'expiresAt'>,
): Promise<ApiTokenRow> {
  const [row] = await db<ApiTokenRow>('apiTokens').insert(token).returning('*');
  if (!row) throw new Error('The API token was not written');
  return row;
}

/** Finds a token that can be used by its SHA-256. */
export async function findLiveApiToken(db: Queryable, tokenHash: Buffer): Promise<ApiTokenRow | undefined> {
  return live(db).where({ tokenHash }).first();
}

export async function isApiTokenLive(db: Queryable, id: string): Promise<boolean> {
  return (await live(db).where({ id }).first('id')) !== undefined;
}

/** An account's tokens that can be used, newest first. */
export async function listLiveApiTokens(db: Queryable, userId: string): Promise<ApiTokenRow[]> {
  return live(db).where({ userId }).orderBy('id', 'desc');
}

/** Ends a token of the account; false when it has none of this id that can be used. */
export async function revokeApiToken(db: Queryable, userId: string, id: string): Promise<boolean> {
  return (await live(db).where({ userId, id }).update({ revokedAt: new Date() })) > 0;
}

/** Notes the use of a token unless one was noted after `since`. */
export async function markApiTokenUsed(db: Queryable, id: string, since: Date): Promise<void> {
  await db<ApiTokenRow>('apiTokens')
    .where({ id })
    .where((noted) => noted.whereNull('lastUsedAt').orWhere('lastUsedAt', '<', since))
    .update({ lastUsedAt: new Date() });
}
