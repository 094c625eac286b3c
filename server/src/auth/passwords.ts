import bcrypt from 'bcrypt';

/** FR-AUTH-03. */
const COST = 12;

export function hashPassword(password: string): Promise<string> {
  return bcrypt.hash(password, COST);
}

// Compared against when there is no such account, so that the answer takes as long as for one that exists.
const NOBODY = bcrypt.hash('no account has this password', COST);

/** True when the password belongs to the hash; false, after the same time, when there is no hash. */
export async function verifyPassword(password: string, hash: string | undefined): Promise<boolean> {
  const matches = await bcrypt.compare(password, hash ?? (await NOBODY));
  return matches && hash !== undefined;
}
