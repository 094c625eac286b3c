import type { AccountStatus, Role } from '../contract/accounts.js';

/**
 * Role and status of a new account: clinicians and radiographers may work at once, radiologists and admins wait
 * for an admin, and the first account of an empty system is the admin, because nobody else could approve one.
 */
export function firstStanding(asked: Role, isFirstAccount: boolean): { role: Role; status: AccountStatus } {
  if (isFirstAccount) return { role: 'Admin', status: 'active' };
  const waits = asked === 'Radiologist' || asked === 'Admin';
  return { role: asked, status: waits ? 'pending' : 'active' };
}
