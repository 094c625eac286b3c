import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { PostgresBinaries } from './postgres-binaries.js';
import type { PostgresHome } from './postgres-home.js';
import { commandLine, identifyProcess, type ProcessIdentity } from './process-identity.js';

/** The role that owns the cluster, and the one RelayPACS works as, which owns its database and nothing else. */
export const SUPERUSER = 'postgres';
export const APPLICATION = 'relaypacs';

/** Random, made with the cluster, in a file only we can read. */
export interface Passwords {
  superuser: string;
  application: string;
}

/** The server process of a cluster. */
export interface Postmaster {
  process: ProcessIdentity;
  port: number;
}

/** PostgreSQL starts a new log file at this size; the newest files are kept. */
const LOG_FILE_MB = 10;
const LOG_FILES_KEPT = 5;

/** Reads the passwords of a cluster, or makes them where there is no cluster yet. */
export function readOrMakePasswords(home: PostgresHome): Passwords {
  const file = path.join(home.dir, 'passwords.json');
  if (!existsSync(file)) {
    if (existsSync(home.clusterDir)) {
      throw new Error(`The passwords of the embedded database are missing: ${file}. Restore that file.`);
    }
    const passwords: Passwords = {
      superuser: randomBytes(24).toString('base64url'),
      application: randomBytes(24).toString('base64url'),
    };
    writeFileSync(`${file}.new`, JSON.stringify(passwords), { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Passwords;
}

/**
 * Creates the cluster where there is none. It appears under its name only when complete, so a start that is killed in
 * between leaves nothing half-made.
 */
export async function createCluster(
  home: PostgresHome,
  binaries: PostgresBinaries,
  password: string,
): Promise<void> {
  makeAccountFolder(home.logDir, home);
  if (existsSync(home.clusterDir)) return;
  const draft = path.join(home.dir, 'cluster.new');
  const passwordFile = path.join(home.dir, 'initdb.password');
  rmSync(draft, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  makeAccountFolder(draft, home);
  try {
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
    if (home.account) chownSync(passwordFile, home.account.uid, home.account.gid);
    // The built-in C.UTF-8 locale knows upper and lower case of every script and is the same on every system.
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const access = ['--auth=scram-sha-256', `--username=${SUPERUSER}`, `--pwfile=${passwordFile}`];
    await promisify(execFile)(binaries.initdb, ['-D', draft, ...access, ...locale, '--no-instructions'], {
      ...asAccount(home),
    });
    renameSync(draft, home.clusterDir);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/**
 * Starts the server; it may take a while until it answers, or it may end at once (see {@link startupMessages}).
 * It belongs to no terminal and survives us, so that killing us never tears a database down half-way.
 */
export function launchPostmaster(
  home: PostgresHome,
  binaries: PostgresBinaries,
  port: number,
): Postmaster | undefined {
  removeReusedPid(home);
  removeOldLogs(home);
  const settings: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 100,
    shared_buffers: '128MB',
    fsync: 'on',
    timezone: 'UTC',
    log_timezone: 'UTC',
    logging_collector: 'on',
    log_directory: home.logDir,
    log_filename: 'postgresql-%Y%m%d-%H%M%S.log',
    log_file_mode: '0600',
    log_rotation_age: 0,
    log_rotation_size: `${LOG_FILE_MB}MB`,
    // Statements and the DETAIL of errors can hold patient data.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const output = openSync(startupLog(home), 'w', 0o600);
  const child = spawn(binaries.postgres, ['-D', home.clusterDir, ...options], {
    ...asAccount(home),
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  child.on('error', () => {}); // Without a pid it did not start; the caller sees that.
  child.unref();
  const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
  return identity && { process: identity, port };
}

/** The server that runs on this cluster already, by its postmaster.pid; undefined when there is none. */
export function findPostmaster(home: PostgresHome): Postmaster | undefined {
  const file = readPidFile(home);
  const identity = file && identifyProcess(file.pid);
  return identity && isPostgres(identity.pid) ? { process: identity, port: file.port } : undefined;
}

/** What the server said at its last start, before its log file was open and then in it: why it did not start. */
export function startupMessages(home: PostgresHome): string {
  const newest = logFiles(home).at(-1);
  const files = [startupLog(home), ...(newest === undefined ? [] : [path.join(home.logDir, newest)])];
  const texts = files.map((file) => (existsSync(file) ? readFileSync(file, 'utf8').slice(-2000) : ''));
  return texts.join('').trim();
}

/** Keeps the newest log files, so that all together stay below about 50 MB. */
export function removeOldLogs(home: PostgresHome): void {
  const files = readdirSync(home.logDir).filter((name) => /^postgresql-[\d-]+\.log$/.test(name));
  for (const name of files.sort().slice(0, -LOG_FILES_KEPT))
    rmSync(path.join(home.logDir, name), { force: true });
}

/**
 * After a crash the pid in postmaster.pid may meanwhile be another program's. PostgreSQL itself then refuses to start
 * for as long as that program runs.
 */
function removeReusedPid(home: PostgresHome): void {
  const file = readPidFile(home);
  if (file && identifyProcess(file.pid) && commandLine(file.pid) !== '' && !isPostgres(file.pid)) {
    rmSync(path.join(home.clusterDir, 'postmaster.pid'), { force: true });
  }
}

/** PostgreSQL source, utils/pidfile.h: line 1 is the pid, line 4 the port. */
function readPidFile(home: PostgresHome): { pid: number; port: number } | undefined {
  const file = path.join(home.clusterDir, 'postmaster.pid');
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8').split('\n');
  return { pid: Number(lines[0]), port: Number(lines[3]) };
}

function isPostgres(pid: number): boolean {
  return process.platform === 'win32' || /postgres -D /.test(commandLine(pid));
}

/** The oldest first: their names hold the time they were begun. */
function logFiles(home: PostgresHome): string[] {
  return readdirSync(home.logDir)
    .filter((name) => /^postgresql-[\d-]+\.log$/.test(name))
    .sort();
}

function startupLog(home: PostgresHome): string {
  return path.join(home.dir, 'startup.log');
}

function makeAccountFolder(dir: string, home: PostgresHome): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (home.account) chownSync(dir, home.account.uid, home.account.gid);
}

/** Runs as the account, in a folder it may be in, and without our environment, which holds secrets. */
function asAccount({ account }: PostgresHome) {
  const { PATH, SystemRoot, TEMP, RELAYPACS_TEST_RUN } = process.env;
  const env = Object.entries({ PATH, SystemRoot, TEMP, RELAYPACS_TEST_RUN, LC_ALL: 'C' });
  return {
    cwd: path.parse(process.cwd()).root,
    env: Object.fromEntries(env.filter(([, value]) => value !== undefined)),
    ...(account && { uid: account.uid, gid: account.gid }),
  };
}
