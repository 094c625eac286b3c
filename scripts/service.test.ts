import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ConfigError } from '@relaypacs/core/config.js';
import { EXIT_CONFIG } from '@relaypacs/core/lifecycle.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { identifyProcess } from './process-identity.js';
import { Service } from './service.js';

const SERVES = `
  process.on('SIGTERM', () => { console.log('stopping'); process.exit(0); });
  process.on('disconnect', () => process.exit(0));
  setInterval(() => {}, 1000);
  process.send({ type: 'ready' });
`;

let dir: string;
let said: string[];
let lines: string[];
let service: Service;

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'a service-'));
  said = [];
  lines = [];
});
afterEach(() => {
  service.kill();
  rmSync(dir, { recursive: true, force: true });
});

function serviceRunning(code: string): Service {
  const script = path.join(dir, 'main.cjs');
  writeFileSync(script, code);
  service = new Service({
    name: 'worker',
    script,
    cwd: dir,
    env: process.env,
    onLine: (line) => lines.push(line),
    say: (sentence) => said.push(sentence),
    delaysMs: [10],
  });
  return service;
}

describe('a service', () => {
  it('starts, and stops when asked', async () => {
    await serviceRunning(SERVES).start();
    const pid = service.pid!;
    await service.stop(5000);
    expect(identifyProcess(pid)).toBeUndefined();
    expect(lines).toEqual(['stopping']);
    expect(said).toEqual([]);
  });

  it('is started again when it ends unexpectedly', async () => {
    await serviceRunning(SERVES).start();
    const first = service.pid!;
    process.kill(first, 'SIGKILL');
    await vi.waitFor(() => expect(said.at(-1)).toBe('The worker is ready again.'), 10_000);
    expect(said[0]).toContain('ended unexpectedly (SIGKILL)');
    expect(service.pid).not.toBe(first);
    await service.stop(5000);
  });

  it('is given up with its last words when it never gets ready', async () => {
    const dying = serviceRunning(`console.error('PORT must be a number'); process.exit(3);`);
    await expect(dying.start()).rejects.toThrow(/does not start \(exit code 3\).*PORT must be a number/s);
    expect(said.filter((sentence) => sentence.includes('ended unexpectedly'))).toHaveLength(2);
  });

  it('is not started again when its configuration is wrong: its sentences are passed on', async () => {
    const misled = serviceRunning(`console.error('DEDUPE_SECRET is short.'); process.exit(${EXIT_CONFIG});`);
    await expect(misled.start()).rejects.toEqual(new ConfigError('DEDUPE_SECRET is short.'));
    expect(lines).toEqual(['DEDUPE_SECRET is short.']);
    expect(said).toEqual([]);
  });

  it('is ended with all it has started when it does not stop in time', async () => {
    const stubborn = `
      const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
      process.on('SIGTERM', () => {});
      console.log(child.pid);
      setInterval(() => {}, 1000);
      process.send({ type: 'ready' });
    `;
    await serviceRunning(stubborn).start();
    await vi.waitFor(() => expect(lines).toHaveLength(1));
    await service.stop(100);
    expect(said).toEqual(['The worker did not stop within 0.1 s and was ended.']);
    await vi.waitFor(() => expect(identifyProcess(Number(lines[0]))).toBeUndefined());
  });
});
