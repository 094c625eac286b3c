import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RotatingLog } from './rotating-log.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'rotating log-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const read = (name: string) => readFileSync(path.join(dir, name), 'utf8');

it('appends to what is there, for its owner alone', () => {
  for (const line of ['one', 'two']) {
    const log = new RotatingLog(path.join(dir, 'a.log'));
    log.writeLine(line);
    log.close();
  }
  expect(read('a.log')).toBe('one\ntwo\n');
  expect(statSync(path.join(dir, 'a.log')).mode & 0o777).toBe(0o600);
});

it('keeps the newest lines in a bounded number of bounded files', () => {
  const log = new RotatingLog(path.join(dir, 'a.log'), 20, 2);
  for (let number = 1; number <= 100; number += 1) log.writeLine(`line ${number}`);
  log.close();
  expect(readdirSync(dir).sort()).toEqual(['a.log', 'a.log.1', 'a.log.2']);
  expect(read('a.log.2') + read('a.log.1') + read('a.log')).toMatch(/line 99\nline 100\n$/);
  for (const name of readdirSync(dir)) expect(statSync(path.join(dir, name)).size).toBeLessThanOrEqual(20);
});
