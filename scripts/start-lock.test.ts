import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { identifyProcess, isRunning } from './process-identity.js';
import { LockHeldError, takeStartLock } from './start-lock.js';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'start lock-'));
  file = path.join(dir, 'lock');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the start lock', () => {
  it('is refused while its holder lives, naming the holder, and free again after release', () => {
    const lock = takeStartLock(file, 'The database');
    expect(lock.tookOver).toBe(false);
    expect(() => takeStartLock(file, 'The database')).toThrow(
      `The database is already in use by process ${process.pid}.`,
    );
    lock.release();
    expect(readdirSync(dir)).toEqual([]);
    takeStartLock(file, 'The database').release();
  });

  it('is taken over from a holder that was killed', async () => {
    const holder = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const identity = identifyProcess(holder.pid!);
    writeFileSync(file, JSON.stringify(identity));
    expect(() => takeStartLock(file, 'It')).toThrow(LockHeldError);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(isRunning(identity!)).toBe(false);
    expect(takeStartLock(file, 'It').tookOver).toBe(true);
    expect(JSON.parse(readFileSync(file, 'utf8')).pid).toBe(process.pid);
  });

  it('is taken over when another process has got the pid of its holder', () => {
    writeFileSync(file, JSON.stringify({ pid: process.pid, started: 'an earlier boot' }));
    expect(takeStartLock(file, 'It').tookOver).toBe(true);
  });

  it('is taken over when its file is torn', () => {
    writeFileSync(file, '{"pid": 12');
    expect(takeStartLock(file, 'It').tookOver).toBe(true);
  });

  it('is not released by one who lost it', () => {
    const lost = takeStartLock(file, 'It');
    writeFileSync(file, JSON.stringify({ pid: 1, started: 'somebody else' }));
    lost.release();
    expect(readdirSync(dir)).toEqual(['lock']);
  });
});
