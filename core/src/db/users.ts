import type { AccountStatus, Preferences, Role } from '../contract/accounts.js';
import type { Queryable } from './database.js';

export interface UserRow {
  id: string;
  username: string;
  email: string;
  passwordHash: string;
  fullName: string | null;
  /** Where the account works. */
  facility: string | null;
  role: Role;
  status: AccountStatus;
  totpSecret: Buffer | null;
  preferences: Partial<Preferences>;
  createdAt: Date;
  updatedAt: Date;
}

// Serialises registrations, so that exactly one account can be the first.
const REGISTRATION_LOCK = 7_246_002;

/** Holds other registrations off until the transaction ends, and says whether there is no account yet. */
export async function lockRegistration(trx: Queryable): Promise<{ isFirstAccount: boolean }> {
  await trx.raw('SELECT pg_advisory_xact_lock(?)', [REGISTRATION_LOCK]);
  const any = await trx<UserRow>('users').first('id');
  return { isFirstAccount: any === undefined };
}

export async function insertUser(
  trx: Queryable,
  user: Pick<
    UserRow,
    'id' | 'username' | 'email' | 'passwordHash' | 'fullName' | 'facility' | 'role' | 'status'
  >,
): Promise<UserRow> {
  const [row] = await trx<UserRow>('users').insert(user).returning('*');
  if (!row) throw new Error('The account was not written');
  return row;
}

export async function findUser(db: Queryable, id: string): Promise<UserRow | undefined> {
  return db<UserRow>('users').where({ id }).first();
}

export async function listUsersById(db: Queryable, ids: readonly string[]): Promise<UserRow[]> {
  return db<UserRow>('users').whereIn('id', [...new Set(ids)]);
}

/** Finds an account by username or, where the text holds an @, by email address; case does not matter. */
export async function findUserByLogin(db: Queryable, login: string): Promise<UserRow | undefined> {
  const column = login.includes('@') ? 'email' : 'username';
  return db<UserRow>('users').whereRaw('lower(??) = lower(?)', [column, login]).first();
}

export async function isUsernameTaken(db: Queryable, username: string): Promise<boolean> {
  return (
    (await db<UserRow>('users').whereRaw('lower(username) = lower(?)', [username]).first('id')) !== undefined
  );
}

export async function isEmailTaken(db: Queryable, email: string): Promise<boolean> {
  return (await db<UserRow>('users').whereRaw('lower(email) = lower(?)', [email]).first('id')) !== undefined;
}
