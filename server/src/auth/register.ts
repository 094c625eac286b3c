import type { Config } from '@relaypacs/core/config.js';
import type { RegisterRequest } from '@relaypacs/core/contract/accounts.js';
import type { Actor } from '@relaypacs/core/db/audit-events.js';
import { newId } from '@relaypacs/core/db/ids.js';
import type { Transact, UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import {
  insertUser,
  isEmailTaken,
  isUsernameTaken,
  lockRegistration,
  type UserRow,
} from '@relaypacs/core/db/users.js';
import { firstStanding } from '@relaypacs/core/domain/registration.js';
import { HttpProblem } from '../http/http-problem.js';
import { hashPassword } from './passwords.js';

/** Refuses what cannot become an account, and holds other registrations off until the transaction ends. */
async function assertMayRegister(
  { trx }: UnitOfWork,
  policy: Config['registration'],
  request: RegisterRequest,
): Promise<{ isFirstAccount: boolean }> {
  const { isFirstAccount } = await lockRegistration(trx);
  if (policy === 'closed' && !isFirstAccount) {
    throw new HttpProblem('REGISTRATION_CLOSED', 'Accounts are made by the administrator here. Ask for one.');
  }
  if (await isUsernameTaken(trx, request.username)) {
    throw new HttpProblem('USERNAME_TAKEN', 'This username is in use. Choose another one, or sign in.');
  }
  if (await isEmailTaken(trx, request.email)) {
    throw new HttpProblem('EMAIL_TAKEN', 'There is an account with this email address. Sign in instead.');
  }
  return { isFirstAccount };
}

/**
 * Makes an account. The first of an empty system is an active Admin whatever it asks for.
 *
 * @throws HttpProblem USERNAME_TAKEN, EMAIL_TAKEN, REGISTRATION_CLOSED, or UNAVAILABLE when too many wait for a hash
 */
export async function register(
  transact: Transact,
  policy: Config['registration'],
  request: RegisterRequest,
  actor: Actor,
): Promise<UserRow> {
  // Hashing is dear and takes a while: it is not done for what would be refused, nor while others are held off.
  await transact((unit) => assertMayRegister(unit, policy, request));
  const passwordHash = await hashPassword(request.password);
  return transact(async (unit) => {
    const { isFirstAccount } = await assertMayRegister(unit, policy, request);
    const user = await insertUser(unit.trx, {
      id: newId(),
      username: request.username,
      email: request.email,
      passwordHash,
      fullName: request.fullName ?? null,
      facility: request.facility ?? null,
      ...firstStanding(request.role, isFirstAccount),
    });
    unit.audit({
      actor: { ...actor, userId: user.id },
      action: 'user.registered',
      objectType: 'user',
      objectId: user.id,
      detail: { role: user.role, status: user.status },
    });
    return user;
  });
}
