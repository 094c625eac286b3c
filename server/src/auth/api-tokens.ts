import { createHash, randomBytes } from 'node:crypto';
import {
  API_TOKEN_PREFIX,
  type ApiToken,
  type CreateApiTokenRequest,
  type CreatedApiToken,
} from '@relaypacs/core/contract/api-tokens.js';
import {
  type ApiTokenRow,
  insertApiToken,
  listLiveApiTokens,
  revokeApiToken,
} from '@relaypacs/core/db/api-tokens.js';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import { newId } from '@relaypacs/core/db/ids.js';
import { holdTransactionLock } from '@relaypacs/core/db/transaction-lock.js';
import type { Transact } from '@relaypacs/core/db/unit-of-work.js';
import { HttpProblem, notFound } from '../http/http-problem.js';

const DAY_MS = 24 * 3_600_000;
/** Live tokens of one account. */
const MOST_TOKENS = 50;
/** 256 random bits in base64url. */
const API_TOKEN = new RegExp(`^${API_TOKEN_PREFIX}[A-Za-z0-9_-]{43}$`);

const sha256 = (text: string) => createHash('sha256').update(text).digest();

/** The SHA-256 a token is kept under; undefined for a text that cannot be one. */
export function apiTokenHash(text: string): Buffer | undefined {
  return API_TOKEN.test(text) ? sha256(text) : undefined;
}

const presentNew = (row: ApiTokenRow) => ({
  id: row.id,
  name: row.name,
  scopes: row.scopes,
  createdAt: row.createdAt.toISOString(),
  expiresAt: row.expiresAt.toISOString(),
});

/** A token as lists show it: nothing of its secret. */
export function presentApiToken(row: ApiTokenRow): ApiToken {
  return { ...presentNew(row), lastUsedAt: row.lastUsedAt?.toISOString() ?? null };
}

/**
 * Makes a token of the acting account. Its text is in the answer and nowhere else.
 *
 * @throws HttpProblem API_TOKEN_LIMIT
 */
export function issueApiToken(
  transact: Transact,
  { name, scopes, expiresInDays }: CreateApiTokenRequest,
  actor: Actor & { userId: string },
): Promise<CreatedApiToken> {
  const { userId } = actor;
  const token = `${API_TOKEN_PREFIX}${randomBytes(32).toString('base64url')}`;
  return transact(async (unit) => {
    // Creations of one account wait for each other, or each would see room for one more.
    await holdTransactionLock(unit.trx, `api tokens ${userId}`);
    if ((await listLiveApiTokens(unit.trx, userId)).length >= MOST_TOKENS) {
      throw new HttpProblem(
        'API_TOKEN_LIMIT',
        `An account can have ${MOST_TOKENS} API tokens. Revoke one that is no longer needed.`,
        { limit: MOST_TOKENS },
      );
    }
    const row = await insertApiToken(unit.trx, {
      id: newId(),
      userId,
      name,
      scopes,
      tokenHash: sha256(token),
      expiresAt: new Date(Date.now() + expiresInDays * DAY_MS),
    });
    unit.audit({
      actor,
      action: 'api_token.created',
      objectType: 'user',
      objectId: userId,
      detail: { tokenId: row.id, scopes: scopes.join(' '), expiresInDays },
    });
    return { ...presentNew(row), token };
  });
}

/**
 * Ends a token of the acting account.
 *
 * @throws HttpProblem NOT_FOUND when it has none of this id, or none that can still be used
 */
export async function endApiToken(
  transact: Transact,
  tokenId: string,
  actor: Actor & { userId: string },
): Promise<void> {
  const { userId } = actor;
  await transact(async (unit) => {
    if (!(await revokeApiToken(unit.trx, userId, tokenId))) throw notFound('API token');
    unit.audit({
      actor,
      action: 'api_token.revoked',
      objectType: 'user',
      objectId: userId,
      detail: { tokenId },
    });
  });
}
