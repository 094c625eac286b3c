import { createHash, randomBytes } from 'node:crypto';
import { type Actor, SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import { newId } from '@relaypacs/core/db/ids.js';
import {
  insertRefreshToken,
  isRefreshFamilyRevoked,
  lockRefreshFamily,
  markRefreshTokenRotated,
  revokeRefreshFamily,
} from '@relaypacs/core/db/refresh-tokens.js';
import type { Transact, UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import { findUser, type UserRow } from '@relaypacs/core/db/users.js';

/** FR-AUTH-02: refresh tokens live 7 days. */
export const REFRESH_TOKEN_SECONDS = 7 * 24 * 3600;

export interface RefreshGrant {
  refreshToken: string;
  /** The family: one per login, carried in the access token. */
  sessionId: string;
}

const sha256 = (token: string) => createHash('sha256').update(token).digest();

/** Issues and rotates refresh tokens; only their hashes are stored. */
export class RefreshSessions {
  private readonly transact: Transact;

  constructor(transact: Transact) {
    this.transact = transact;
  }

  private async issue(unit: UnitOfWork, userId: string, familyId: string): Promise<RefreshGrant> {
    const refreshToken = randomBytes(32).toString('base64url');
    await insertRefreshToken(unit.trx, {
      id: newId(),
      userId,
      familyId,
      tokenHash: sha256(refreshToken),
      expiresAt: new Date(Date.now() + REFRESH_TOKEN_SECONDS * 1000),
    });
    return { refreshToken, sessionId: familyId };
  }

  /** Begins a session after a login. */
  begin(userId: string, actor: Actor): Promise<RefreshGrant> {
    return this.transact((unit) => {
      unit.audit({ actor: { ...actor, userId }, action: 'user.login', objectType: 'user', objectId: userId });
      return this.issue(unit, userId, newId());
    });
  }

  /**
   * Exchanges a token for the next one of its family. A token that was exchanged before is in two hands, so the
   * whole family ends (RFC 9700 §4.14.2).
   *
   * @returns undefined when the token is unknown, ended, expired, used twice, or its account is not active
   */
  rotate(token: string, actor: Actor): Promise<{ grant: RefreshGrant; user: UserRow } | undefined> {
    return this.transact(async (unit) => {
      const row = await lockRefreshFamily(unit.trx, sha256(token));
      if (!row || (await isRefreshFamilyRevoked(unit.trx, row.familyId))) return undefined;
      if (row.rotatedAt !== null) {
        await revokeRefreshFamily(unit.trx, row.familyId);
        unit.audit({
          actor: { ...actor, userId: row.userId },
          action: 'user.refresh_token_reused',
          objectType: 'user',
          objectId: row.userId,
        });
        return undefined;
      }
      if (row.expiresAt.getTime() <= Date.now()) return undefined;
      const user = await findUser(unit.trx, row.userId);
      if (user?.status !== 'active') return undefined;
      await markRefreshTokenRotated(unit.trx, row.id);
      return { grant: await this.issue(unit, row.userId, row.familyId), user };
    });
  }

  /** Ends the session the token belongs to; an unknown token is no error. */
  async end(token: string, actor: Actor = SYSTEM_ACTOR): Promise<void> {
    await this.transact(async (unit) => {
      const row = await lockRefreshFamily(unit.trx, sha256(token));
      if (!row) return;
      await revokeRefreshFamily(unit.trx, row.familyId);
      const acting = { ...actor, userId: row.userId };
      unit.audit({ actor: acting, action: 'user.logout', objectType: 'user', objectId: row.userId });
    });
  }
}
