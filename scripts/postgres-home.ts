import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import path from 'node:path';
import { type Account, canReach, isRoot, unprivilegedAccount } from './postgres-account.js';

/** Where root keeps databases whose DATA_DIR the unprivileged account cannot reach. */
const SYSTEM_DIR = '/var/lib/relaypacs';

/** The folder of one embedded database: `cluster/` (the data), `log/`, `passwords.json`, `lock`; a copy of the binaries if needed. */
export interface PostgresHome {
  dir: string;
  clusterDir: string;
  logDir: string;
  /** The account to drop to; undefined when PostgreSQL runs as ourselves. */
  account: Account | undefined;
}

/**
 * Creates DATA_DIR, for its owner alone.
 *
 * As root, PostgreSQL's account must be able to pass through it. Only that account's group gets the right to search
 * (0710), and only when nobody else has set the permissions to something of their own.
 *
 * @throws the error of the file system, with its code, when the folder cannot be made
 */
export function prepareDataDir(dataDir: string): void {
  makeFolders(dataDir);
  if (!isRoot()) return;
  const { uid, gid, mode } = statSync(dataDir);
  if (uid !== 0 || gid !== 0 || (mode & 0o777) !== 0o700) return;
  chownSync(dataDir, 0, unprivilegedAccount(path.join(dataDir, 'postgres', 'cluster')).gid);
  chmodSync(dataDir, 0o710);
}

/** One folder at a time: Node's recursive mkdir never ends below /proc, where a parent exists and mkdir says ENOENT. */
function makeFolders(dir: string): void {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return;
  if (!existsSync(path.dirname(dir))) makeFolders(path.dirname(dir));
  mkdirSync(dir, { mode: 0o700 });
}

/**
 * Finds or makes the folder of the embedded database: `DATA_DIR/postgres`, or below /var/lib/relaypacs when we are
 * root and the unprivileged account cannot reach DATA_DIR (below a home of mode 0700). Then `DATA_DIR/postgres` is a
 * link there, so that a DATA_DIR which is moved later still finds its database.
 *
 * @param dataDir - absolute path of DATA_DIR, which exists, without symbolic links
 * @param log - told when the data does not lie in DATA_DIR
 * @throws Error when an existing folder cannot be used, with what to do
 */
export function preparePostgresHome(dataDir: string, log: (line: string) => void): PostgresHome {
  const place = path.join(dataDir, 'postgres');
  if (!isRoot()) {
    mkdirSync(place, { recursive: true, mode: 0o700 });
    return home(place, undefined);
  }
  const linked = lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink()
    ? readlinkSync(place)
    : undefined;
  // Root never follows a link somebody else may have placed in DATA_DIR.
  if (linked !== undefined && path.dirname(path.resolve(linked)) !== SYSTEM_DIR) {
    throw new Error(`${place} is a link to ${linked}; only links to a folder in ${SYSTEM_DIR} are followed.`);
  }
  const account = unprivilegedAccount(path.join(linked ?? place, 'cluster'));
  if (linked === undefined && existsSync(place)) {
    if (!canReach(dataDir, account)) {
      throw new Error(
        `PostgreSQL runs as "${account.name}", who cannot reach its data in ${place}. Let others pass through ` +
          `the folders above it (chmod o+x), or set DATA_DIR to a folder they can reach.`,
      );
    }
    return home(place, account);
  }
  if (linked === undefined && canReach(dataDir, account)) {
    makeRootFolder(place, account);
    return home(place, account);
  }
  // chmod as well, because the umask may have narrowed the mode.
  if (mkdirSync(SYSTEM_DIR, { recursive: true })) chmodSync(SYSTEM_DIR, 0o755);
  const dir = linked ?? unusedSystemFolder(dataDir);
  makeRootFolder(dir, account);
  if (linked === undefined) symlinkSync(dir, place);
  log(`PostgreSQL runs as "${account.name}", who cannot reach ${dataDir}: its data lies in ${dir}.`);
  return home(dir, account);
}

function home(dir: string, account: Account | undefined): PostgresHome {
  return { dir, clusterDir: path.join(dir, 'cluster'), logDir: path.join(dir, 'log'), account };
}

/** Named after DATA_DIR; a folder that is there already holds the database of a DATA_DIR that was moved or deleted. */
function unusedSystemFolder(dataDir: string): string {
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  const dir = path.join(SYSTEM_DIR, name);
  return existsSync(dir) ? mkdtempSync(`${dir}-`) : dir;
}

/** Root owns the folder, so that the database account cannot replace the files we read and write in it as root. */
function makeRootFolder(dir: string, account: Account): void {
  mkdirSync(dir, { recursive: true, mode: 0o710 });
  chownSync(dir, 0, account.gid);
  chmodSync(dir, 0o710);
}
