// npm run bench:start
// Seconds from `npm start`, after install and build, until /readyz answers 200; and the peer: PostgreSQL alone.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startEmbeddedPostgres } from '../scripts/embedded-postgres.js';
import { freePort } from '../scripts/free-port.js';
import { projectRoot } from '../scripts/project-root.js';
import { machine, seconds } from './measure.js';

async function untilReady(url: string): Promise<void> {
  for (;;) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function start(dataDir: string): Promise<number> {
  const [port, sandboxPort] = [await freePort(), await freePort()];
  const env = { ...process.env, DATA_DIR: dataDir, PORT: String(port), SANDBOX_PORT: String(sandboxPort) };
  const child = spawn('npm', ['start'], { cwd: projectRoot, env, stdio: 'ignore', detached: true });
  const time = await seconds(() => untilReady(`http://127.0.0.1:${port}/readyz`));
  const end = once(child, 'exit');
  // Like Ctrl-C: to the whole group.
  process.kill(-(child.pid ?? 0), 'SIGINT');
  await end;
  return time;
}

const dir = await mkdtemp(path.join(tmpdir(), 'relaypacs-bench-'));
try {
  console.log(machine());
  const first = await start(path.join(dir, 'data'));
  const second = await start(path.join(dir, 'data'));
  const alone = await seconds(async () => {
    const postgres = await startEmbeddedPostgres({ dataDir: path.join(dir, 'alone') });
    await postgres.stop();
  });
  console.table({
    'first start (database is created)': {
      seconds: first.toFixed(2),
      'times PostgreSQL alone': (first / alone).toFixed(2),
    },
    'second start': { seconds: second.toFixed(2), 'times PostgreSQL alone': (second / alone).toFixed(2) },
    'PostgreSQL alone, created, started, stopped': {
      seconds: alone.toFixed(2),
      'times PostgreSQL alone': '1.00',
    },
  });
} finally {
  await rm(dir, { recursive: true, force: true });
}
