import type { Preferences, User } from '@relaypacs/core/contract/accounts.js';
import type { UserRow } from '@relaypacs/core/db/users.js';

const MIB = 1024 * 1024;

export const DEFAULT_PREFERENCES: Preferences = {
  defaultServiceLevel: 'routine',
  chunkSize: 8 * MIB,
  duplicateWarnings: true,
};

/** An account as the API shows it: nothing of its secrets. */
export function presentUser(row: UserRow): User {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    fullName: row.fullName,
    facility: row.facility,
    role: row.role,
    status: row.status,
    totpEnabled: row.totpSecret !== null,
    preferences: { ...DEFAULT_PREFERENCES, ...row.preferences },
    createdAt: row.createdAt.toISOString(),
  };
}
