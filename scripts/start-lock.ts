import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { identifyProcess, isRunning, type ProcessIdentity } from './process-identity.js';

/** Somebody else holds the lock and is alive. */
export class LockHeldError extends Error {
  readonly pid: number;

  constructor(message: string, pid: number) {
    super(message);
    this.name = 'LockHeldError';
    this.pid = pid;
  }
}

export interface StartLock {
  /** The process that held the lock before had ended without releasing it. */
  tookOver: boolean;
  release(): void;
}

let attempts = 0;

/**
 * Takes a lock that ends with its holder: the file names the holder's pid and start time, so neither a crash nor a
 * reused pid leaves it held.
 *
 * @param file - absolute path of the lock file
 * @param whatIsHeld - starts the refusal, for example `PostgreSQL in /data`
 * @throws LockHeldError when a living process (this one included) holds it
 */
export function takeStartLock(file: string, whatIsHeld: string): StartLock {
  const self = identifyProcess(process.pid) ?? { pid: process.pid, started: 'unknown' };
  const mine = JSON.stringify(self);
  attempts += 1;
  const draft = `${file}.${process.pid}.${attempts}`;
  let tookOver = false;
  try {
    writeFileSync(draft, mine, { flag: 'wx', mode: 0o600 });
    for (let round = 0; round < 20; round += 1) {
      // link(2) makes the complete file appear at once and fails when there is one.
      if (tryTo(() => linkSync(draft, file), 'EEXIST')) {
        return { tookOver, release: () => release(file, mine) };
      }
      const seen = readText(file);
      if (seen === undefined) continue;
      const holder = parseHolder(seen);
      if (holder && isRunning(holder)) {
        throw new LockHeldError(`${whatIsHeld} is already in use by process ${holder.pid}.`, holder.pid);
      }
      tookOver = true;
      moveAside(file, seen);
    }
    throw new Error(`${whatIsHeld} could not be locked: ${file} keeps changing.`);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes a lock left by a dead holder, without removing the one a quicker process has put in its place. */
function moveAside(file: string, stale: string): void {
  const aside = `${file}.stale.${process.pid}`;
  if (!tryTo(() => renameSync(file, aside), 'ENOENT')) return;
  if (readText(aside) !== stale) tryTo(() => linkSync(aside, file), 'EEXIST');
  rmSync(aside, { force: true });
}

function release(file: string, mine: string): void {
  if (readText(file) === mine) rmSync(file, { force: true });
}

function parseHolder(text: string): ProcessIdentity | undefined {
  try {
    const holder = JSON.parse(text) as Partial<ProcessIdentity>;
    if (typeof holder.pid === 'number' && typeof holder.started === 'string') {
      return { pid: holder.pid, started: holder.started };
    }
  } catch {
    // A torn file (the disk was full, the machine lost power) names nobody: it is stale.
  }
  return undefined;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Runs it; false when it failed with exactly this code. */
function tryTo(action: () => void, expectedCode: string): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === expectedCode) return false;
    throw error;
  }
}
