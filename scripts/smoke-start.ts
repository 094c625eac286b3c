// What a newcomer does first, as a check for CI: `npm start`, wait until it serves, Ctrl-C.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.js';
import { beginTestRun, endLeftoverProcesses, leftoverProcesses } from './leftover-processes.js';
import { projectRoot } from './project-root.js';

const READY_WITHIN_MS = 180_000; // It may have to build first.
const STOPPED_WITHIN_MS = 60_000;

const run = beginTestRun();
const dataDir = mkdtempSync(path.join(tmpdir(), 'relaypacs smoke-'));
const port = await freePort();
const { DATABASE_URL: _1, DATABASE_URL_FILE: _2, PACS_URL: _3, ...inherited } = process.env;
const child = spawn('npm', ['start'], {
  cwd: projectRoot,
  env: {
    ...inherited,
    DATA_DIR: dataDir,
    PORT: String(port),
    SANDBOX_PORT: String(await freePort()),
  },
  detached: true,
  stdio: ['ignore', 'pipe', 'inherit'],
});
let output = '';
child.stdout.setEncoding('utf8').on('data', (text: string) => {
  output += text;
  process.stdout.write(text);
});
const ended = once(child, 'exit');

async function isReady(): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}

async function check(): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(output.includes('RelayPACS is ready') && (await isReady()))) {
    if (child.exitCode !== null)
      throw new Error(`npm start ended with ${child.exitCode} instead of serving.`);
    if (Date.now() > deadline) throw new Error('npm start did not get ready in time.');
    await sleep(100);
  }
  // Ctrl-C in a terminal reaches the whole foreground group: npm, its shell and the start.
  process.kill(-(child.pid ?? 0), 'SIGINT');
  const [code, signal] = await Promise.race([
    ended,
    sleep(STOPPED_WITHIN_MS, undefined, { ref: false }).then(() => {
      throw new Error('npm start did not stop in time.');
    }),
  ]);
  // The shell between npm and us may be one (dash) that dies of the signal itself; npm then ends the same way.
  const shellDied = signal === 'SIGINT' && output.includes('\nStopped.');
  if (code !== 0 && !shellDied)
    throw new Error(`npm start ended with ${signal ?? code} after Ctrl-C, not with 0.`);
  const left = leftoverProcesses(run);
  if (left.length > 0) throw new Error(`npm start left running: ${JSON.stringify(left)}`);
}

let failure: Error | undefined;
try {
  await check();
} catch (error) {
  failure = error as Error;
} finally {
  endLeftoverProcesses(run);
  rmSync(dataDir, { recursive: true, force: true });
}
console.log(
  failure ? `npm start: FAILED. ${failure.message}` : 'npm start: ready, stopped by Ctrl-C, nothing left.',
);
process.exit(failure ? 1 : 0);
