import { readFileSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A Unix account PostgreSQL runs under. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** Whether this process is root, whom PostgreSQL refuses to run for. */
export function isRoot(): boolean {
  return process.platform !== 'win32' && os.userInfo().uid === 0;
}

/**
 * The unprivileged account PostgreSQL runs under when we are root: the owner of the cluster when there is one
 * (PostgreSQL insists on that), else `postgres`, else `nobody`.
 *
 * @throws Error when the system has none of them
 */
export function unprivilegedAccount(clusterDir: string): Account {
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n').flatMap(parseAccount);
  const owner = statSync(clusterDir, { throwIfNoEntry: false })?.uid;
  const account =
    accounts.find(({ uid }) => uid === owner && uid !== 0) ??
    accounts.find(({ name }) => name === 'postgres') ??
    accounts.find(({ name }) => name === 'nobody');
  if (!account) {
    throw new Error(
      'PostgreSQL does not run as root, and this system has neither a "postgres" nor a "nobody" account. ' +
        'Create one (useradd --system postgres), or start RelayPACS as an ordinary user.',
    );
  }
  return account;
}

/** Whether the account may pass through a folder and all folders above it, by their permission bits. */
export function canReach(folder: string, account: Account): boolean {
  const { mode, uid, gid } = statSync(folder);
  const search = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
  const parent = path.dirname(folder);
  return (mode & search) !== 0 && (parent === folder || canReach(parent, account));
}

function parseAccount(line: string): Account[] {
  const [name, , uid, gid] = line.split(':');
  return name && uid && gid ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
}
