import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepareDataDir } from './postgres-home.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'home-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('DATA_DIR', () => {
  it('is made with the folders above it, closed to others, and taken as it is the next time', () => {
    const dataDir = path.join(dir, 'above', 'data');
    prepareDataDir(dataDir);
    prepareDataDir(dataDir);
    expect(statSync(dataDir).mode & 0o007).toBe(0);
  });

  it('is refused below a file, and where there is a file', () => {
    const file = path.join(dir, 'file');
    writeFileSync(file, '');
    expect(() => prepareDataDir(path.join(file, 'a', 'b'))).toThrow('ENOTDIR');
    expect(() => prepareDataDir(file)).toThrow('EEXIST');
  });

  it.runIf(process.platform === 'linux')('is refused below /proc, where nothing can be made', () => {
    expect(() => prepareDataDir('/proc/relaypacs/data')).toThrow('ENOENT');
  });
});
