import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '@relaypacs/core/config.js';
import pg from 'pg';
import { build } from './build.js';
import { startEmbeddedPostgres } from './embedded-postgres.js';
import { readStartPlan, type StartPlan, serviceEnvironment } from './environment.js';
import { whyPortIsTaken } from './free-port.js';
import { shortLogLine } from './log-line.js';
import { migrate } from './migrate.js';
import { checkDatabase, checkRedis } from './outside-services.js';
import { prepareDataDir } from './postgres-home.js';
import { projectRoot } from './project-root.js';
import { RotatingLog } from './rotating-log.js';
import { Service } from './service.js';
import { LockHeldError, takeStartLock } from './start-lock.js';

/** The services hand back what they hold within 20 s; then we end them. */
const STOP_GRACE_MS = 25_000;
/** The services of a start that was killed need a moment to notice and to let go of their ports. */
const PORT_PATIENCE_MS = 15_000;
/** The terminal and npm may both deliver one Ctrl-C: only a later one is a second one. */
const SECOND_SIGNAL_AFTER_MS = 1000;

const say = (sentence: string) => console.log(sentence);

/** What has been started, the last one first to be stopped. */
const started: { stop(): Promise<void> | void; kill?(): void }[] = [];
const stopRequest = new AbortController();

/** Thrown to leave the start when a stop was asked for meanwhile. */
class StopRequested extends Error {}

function leaveIfStopping(): void {
  if (stopRequest.signal.aborted) throw new StopRequested();
}

async function checkPort(name: string, port: number, host: string, patienceMs: number): Promise<void> {
  const deadline = Date.now() + patienceMs;
  let waiting = false;
  for (;;) {
    leaveIfStopping();
    const reason = await whyPortIsTaken(port, host);
    if (reason === undefined) return;
    if (reason !== 'EADDRINUSE' && reason !== 'EACCES') {
      throw new Error(`HOST=${host} is no address this machine can serve on (${reason}).`);
    }
    if (reason === 'EACCES') {
      throw new Error(
        `${name}=${port} cannot be used (${reason}). Choose another: ${name}=${port + 1010} npm start`,
      );
    }
    if (Date.now() >= deadline) {
      throw new Error(
        `Port ${port} is in use by another program. Choose another with ${name}: ${name}=${port + 1010} npm start`,
      );
    }
    if (!waiting) say(`Waiting for port ${port}, which the start before this one may still hold …`);
    waiting = true;
    await sleep(200);
  }
}

function lockDataDir(dataDir: string): { tookOver: boolean } {
  try {
    prepareDataDir(dataDir);
    const lock = takeStartLock(
      path.join(realpathSync(dataDir), 'start.lock'),
      `RelayPACS runs already: ${dataDir}`,
    );
    started.push({ stop: lock.release });
    return lock;
  } catch (error) {
    if (error instanceof LockHeldError) {
      throw new Error(
        `RelayPACS runs already with DATA_DIR ${dataDir} (process ${error.pid}). For a second one, choose another ` +
          'folder and other ports: DATA_DIR=… PORT=… SANDBOX_PORT=… npm start',
      );
    }
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const why = ['EACCES', 'EPERM', 'EROFS'].includes(code)
      ? 'where this user may not write'
      : 'which cannot be made or used as a folder';
    throw new Error(`DATA_DIR is ${dataDir}, ${why} (${code}). Choose another with DATA_DIR=… npm start`);
  }
}

async function startService(name: string, env: NodeJS.ProcessEnv, plan: StartPlan): Promise<void> {
  const logDir = path.join(plan.config.dataDir, 'logs');
  mkdirSync(logDir, { recursive: true, mode: 0o700 });
  let ready = false;
  const log = new RotatingLog(path.join(logDir, `${name}.log`));
  const service = new Service({
    name,
    script: path.join(projectRoot, name, 'dist', 'main.js'),
    cwd: projectRoot,
    env,
    say,
    onLine(line, source) {
      log.writeLine(line);
      const shown = plan.logToTerminal ? `${name}: ${line}` : shortLogLine(name, line, source);
      // What it writes to stderr before it is ready is why it does not start: the error of that quotes it.
      if (shown !== undefined && (ready || plan.logToTerminal || source === 'stdout')) say(shown);
    },
  });
  started.push({ stop: () => service.stop(STOP_GRACE_MS), kill: () => service.kill() });
  await service.start();
  ready = true;
}

async function hasAccounts(databaseUrl: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query('SELECT EXISTS (SELECT FROM users) AS found');
    return rows[0]?.found === true;
  } finally {
    await client.end();
  }
}

async function answersWithPage(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).ok;
  } catch {
    return false;
  }
}

/** Where studies go; undefined where no PACS is configured. */
function describePacs({ pacs: { all } }: Config): string | undefined {
  const [main, ...named] = all;
  return main && [main.url, ...named.map(({ key, url }) => `${key}: ${url}`)].join(', ');
}

async function showReady(
  plan: StartPlan,
  databaseUrl: string,
  databaseDir: string | undefined,
  took: string,
) {
  const { config, sandbox } = plan;
  const address = config.publicUrl ?? `http://localhost:${config.port}`;
  const host = config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : config.host;
  const hasDocs = await answersWithPage(
    `http://${host.includes(':') ? `[${host}]` : host}:${config.port}/docs`,
  );
  const pacs = sandbox
    ? `sandbox, for trying out only: ${sandbox.url}/`
    : (describePacs(config) ?? 'none: uploads are kept and wait. Set PACS_URL to a DICOMweb root.');
  const lines: (string | false)[] = [
    '',
    `  RelayPACS is ready (${took})`,
    '',
    `  Application   ${address}`,
    hasDocs && `  API docs      ${address}/docs`,
    `  PACS          ${pacs}`,
    `  Data          ${config.dataDir}`,
    `  Database      ${databaseDir ?? 'as DATABASE_URL says'}`,
    `  Logs          ${path.join(config.dataDir, 'logs')}`,
    '',
    !(await hasAccounts(databaseUrl)) && '  The first account you register becomes the administrator.',
    '  Ctrl-C stops everything; the data stays.',
    '',
  ];
  say(lines.filter((line) => line !== false).join('\n'));
}

const secondsSince = (begun: number) => `${((performance.now() - begun) / 1000).toFixed(1)} s`;

async function start(): Promise<void> {
  const plan = readStartPlan(process.env);
  const { config } = plan;
  const lock = lockDataDir(config.dataDir);
  const patience = lock.tookOver ? PORT_PATIENCE_MS : 0;
  await checkPort('PORT', config.port, config.host, patience);
  const { port: metricsPort, workerPort } = config.metrics;
  if (metricsPort) await checkPort('METRICS_PORT', metricsPort, config.host, patience);
  if (workerPort) await checkPort('WORKER_METRICS_PORT', workerPort, config.host, patience);
  if (plan.sandbox) await checkPort('SANDBOX_PORT', plan.sandbox.port, '127.0.0.1', patience);
  if (!plan.embedded) await checkDatabase(config.database.url);
  if (config.redisUrl !== undefined) await checkRedis(config.redisUrl);
  leaveIfStopping();
  const buildBegun = performance.now();
  const built = await build(say, stopRequest.signal);
  leaveIfStopping();

  const begun = performance.now();
  let databaseUrl = config.database.url;
  let databaseDir: string | undefined;
  if (plan.embedded) {
    const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, log: say });
    // A fast shutdown needs nobody to wait for it.
    started.push({ stop: () => postgres.stop(), kill: () => process.kill(postgres.pid, 'SIGINT') });
    databaseUrl = postgres.url;
    databaseDir = postgres.dataDir;
  }
  leaveIfStopping();
  await migrate(databaseUrl);
  leaveIfStopping();

  const env = serviceEnvironment(process.env, plan, plan.embedded ? databaseUrl : undefined);
  const names = [...(plan.sandbox ? ['sandbox'] : []), 'worker', 'server'];
  const stopped = new Promise<never>((_, reject) => {
    stopRequest.signal.addEventListener('abort', () => reject(new StopRequested()));
  });
  await Promise.race([stopped, Promise.all(names.map((name) => startService(name, env, plan)))]);
  leaveIfStopping();
  const took = secondsSince(begun);
  await showReady(
    plan,
    databaseUrl,
    databaseDir,
    built ? `${secondsSince(buildBegun)}, ${took} without the build` : took,
  );
  await stopped;
}

async function stopAll(): Promise<boolean> {
  let clean = true;
  for (const part of started.reverse()) {
    try {
      await part.stop();
    } catch (error) {
      clean = false;
      console.error((error as Error).message);
    }
  }
  return clean;
}

let firstSignalAt: number | undefined;

function onSignal(): void {
  if (firstSignalAt === undefined) {
    firstSignalAt = Date.now();
    say('\nStopping … (Ctrl-C again stops at once)');
    stopRequest.abort();
  } else if (Date.now() - firstSignalAt > SECOND_SIGNAL_AFTER_MS) {
    say('Stopped at once; the next start recovers.');
    for (const part of started) {
      try {
        part.kill?.();
      } catch {
        // It has ended already.
      }
    }
    process.exit(130);
  }
}

/**
 * The loss of whoever started us (npm, or a shell between npm and us) is a request to stop: killed by SIGKILL, neither
 * can pass anything on, and a shell such as dash dies of SIGTERM without telling us.
 */
function watchForLostParent(): void {
  const parent = process.ppid;
  if (parent === 1 && !isNodeProgram(parent)) {
    onSignal(); // It was lost while this process was loading.
    return;
  }
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    if (firstSignalAt === undefined) onSignal();
  }, 250).unref();
}

/** In a container npm itself may be process 1; elsewhere that is the init that orphans fall to. */
function isNodeProgram(pid: number): boolean {
  try {
    return /\b(npm|pnpm|yarn|node|bun)\b/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    return false; // Not Linux, so not a container.
  }
}

if (process.env.npm_lifecycle_event !== undefined && process.platform !== 'win32') watchForLostParent();
// A terminal that is closed must not end us before everything is stopped.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);

let failed = false;
try {
  await start();
} catch (error) {
  if (!(error instanceof StopRequested) && !stopRequest.signal.aborted) {
    failed = true;
    console.error(`\n${(error as Error).message}`);
  }
}
const clean = await stopAll();
if (firstSignalAt !== undefined && clean) say('Stopped.');
process.exit(failed || !clean ? 1 : 0);
