import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './free-port.js';
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.js';
import {
  APPLICATION,
  createCluster,
  findPostmaster,
  launchPostmaster,
  type Passwords,
  type Postmaster,
  readOrMakePasswords,
  removeOldLogs,
  SUPERUSER,
  startupMessages,
} from './postgres-cluster.js';
import { type PostgresHome, prepareDataDir, preparePostgresHome } from './postgres-home.js';
import { isRunning } from './process-identity.js';
import { takeStartLock } from './start-lock.js';

/** What passes by itself shortly after a crash: locks of a server that is still ending, a port taken in between. */
const PASSING = /lock file|shared memory block|already in use|could not bind/i;
const RETRY_FOR_MS = 60_000;
/** Replaying the log after a crash can take minutes on a slow disk. */
const ANSWER_WITHIN_MS = 10 * 60_000;
const RESTART_DELAYS_MS = [0, 1000, 2000, 5000, 10_000, 30_000];

export interface EmbeddedPostgresOptions {
  /** DATA_DIR. The database lies in its folder `postgres`, or where that links to. */
  dataDir: string;
  /** Told, in sentences for people, what happens out of the ordinary. */
  log?: (line: string) => void;
  /** Start the server again, on the same port, when it ends without {@link EmbeddedPostgres.stop}. Default: true. */
  restartOnCrash?: boolean;
}

export interface EmbeddedPostgres {
  /** Connection URL of the application's own database, password included: never log it. */
  readonly url: string;
  readonly port: number;
  /** The pid of the server now; it changes after a crash. */
  readonly pid: number;
  /** The folder the database lies in. */
  readonly dataDir: string;
  /** The server ran already, left by a starter that was killed. */
  readonly adopted: boolean;
  /** Stops the server and gives the lock back, within 45 s. */
  stop(): Promise<void>;
}

interface Cluster {
  home: PostgresHome;
  binaries: PostgresBinaries;
  passwords: Passwords;
  log: (line: string) => void;
}

/**
 * Runs a real PostgreSQL from npm for this process: creates the database, adopts a server that a killed starter left
 * running, recovers from crashes. The server outlives a killed starter; the next start adopts it.
 *
 * @throws LockHeldError when another living process has started the database of this DATA_DIR
 * @throws Error with a sentence for people when PostgreSQL is missing or does not start
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => {});
  prepareDataDir(path.resolve(options.dataDir));
  const dataDir = realpathSync(options.dataDir);
  const home = preparePostgresHome(dataDir, log);
  const lock = takeStartLock(path.join(home.dir, 'lock'), `The embedded database of ${dataDir}`);
  try {
    const binaries = findPostgresBinaries(home.account, home.dir);
    const passwords = readOrMakePasswords(home);
    await createCluster(home, binaries, passwords.superuser);
    const cluster: Cluster = { home, binaries, passwords, log };
    const { postmaster, adopted } = await adoptOrLaunch(cluster);
    const keeper = keepRunning(cluster, postmaster, options.restartOnCrash ?? true);
    let stopped: Promise<void> | undefined;
    return {
      url: `postgres://${APPLICATION}:${passwords.application}@127.0.0.1:${postmaster.port}/${APPLICATION}`,
      port: postmaster.port,
      get pid() {
        return keeper.current().process.pid;
      },
      dataDir: home.dir,
      adopted,
      stop: () => (stopped ??= keeper.stop().finally(() => lock.release())),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function adoptOrLaunch(
  cluster: Cluster,
  fixedPort?: number,
  stopping?: AbortSignal,
): Promise<{ postmaster: Postmaster; adopted: boolean }> {
  const deadline = Date.now() + RETRY_FOR_MS;
  for (;;) {
    stopping?.throwIfAborted();
    const found = findPostmaster(cluster.home);
    if (found) {
      if (await answers(found, cluster)) return { postmaster: found, adopted: true };
      continue; // It was on its way out.
    }
    const launched = launchPostmaster(cluster.home, cluster.binaries, fixedPort ?? (await freePort()));
    try {
      if (launched && (await answers(launched, cluster))) return { postmaster: launched, adopted: false };
    } catch (error) {
      if (launched) await stopPostmaster(launched, cluster.home, cluster.binaries);
      throw error;
    }
    const reason = startupMessages(cluster.home);
    if (!PASSING.test(reason) || Date.now() > deadline) {
      throw new Error(
        `The embedded PostgreSQL in ${cluster.home.dir} did not start: ${reason || 'it said nothing'}`,
      );
    }
    await sleep(250);
  }
}

/** SQLSTATE of a server that starts, stops or is full (57P01–57P03, 53300) or a broken connection (08…): ask again. */
const ASK_AGAIN = /^(57P0[123]|53300|08...)$/;

/** Waits until the server lets us in and holds the application's database; false when it ended instead. */
async function answers(postmaster: Postmaster, { passwords, home, log }: Cluster): Promise<boolean> {
  const started = Date.now();
  let told = false;
  while (isRunning(postmaster.process)) {
    try {
      await createApplicationDatabase(passwords, postmaster.port);
      return true;
    } catch (error) {
      const { code } = error as { code?: string };
      // 28P01, invalid_password: a server that accepts another password is not ours to use.
      if (code === '28P01') {
        throw new Error(
          `PostgreSQL (process ${postmaster.process.pid}) does not accept the password in ${home.dir}.`,
        );
      }
      if (error instanceof pg.DatabaseError && !ASK_AGAIN.test(code ?? '')) throw error;
    }
    const waited = Date.now() - started;
    if (waited > ANSWER_WITHIN_MS) {
      throw new Error(
        `PostgreSQL (process ${postmaster.process.pid}) did not answer within ${waited / 60_000} min.`,
      );
    }
    if (waited > 5000 && !told) {
      log('PostgreSQL is not ready yet: it may be recovering from a crash. Waiting for it.');
      told = true;
    }
    await sleep(50);
  }
  return false;
}

async function createApplicationDatabase(passwords: Passwords, port: number): Promise<void> {
  await withClient(passwords, port, async (client) => {
    const { rows: roles } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [APPLICATION]);
    if (roles.length === 0) {
      await client.query(
        `CREATE ROLE ${APPLICATION} LOGIN PASSWORD ${client.escapeLiteral(passwords.application)}`,
      );
    }
    const { rows: databases } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [
      APPLICATION,
    ]);
    if (databases.length === 0) await client.query(`CREATE DATABASE ${APPLICATION} OWNER ${APPLICATION}`);
  });
}

function keepRunning(cluster: Cluster, first: Postmaster, restart: boolean) {
  let current = first;
  const stopping = new AbortController();
  const pause = (ms: number) => sleep(ms, undefined, { signal: stopping.signal }).catch(() => {});

  const startAgain = async () => {
    for (let attempt = 0; !stopping.signal.aborted; attempt += 1) {
      await pause(RESTART_DELAYS_MS[Math.min(attempt, RESTART_DELAYS_MS.length - 1)] ?? 0);
      if (stopping.signal.aborted) return;
      try {
        current = (await adoptOrLaunch(cluster, current.port, stopping.signal)).postmaster;
        cluster.log('PostgreSQL runs again.');
        return;
      } catch (error) {
        if (!stopping.signal.aborted) cluster.log((error as Error).message);
      }
    }
  };
  const watch = async () => {
    while (restart && !stopping.signal.aborted) {
      await pause(200);
      if (stopping.signal.aborted || isRunning(current.process)) continue;
      cluster.log('PostgreSQL ended unexpectedly. Starting it again.');
      await startAgain();
    }
  };
  const watching = watch();
  const logSweep = setInterval(() => removeOldLogs(cluster.home), 10 * 60_000).unref();

  return {
    current: () => current,
    stop: async () => {
      clearInterval(logSweep);
      stopping.abort();
      // A restart under way may wait long for a recovery: the server is then stopped in the middle of it.
      await Promise.race([watching, sleep(2000, undefined, { ref: false })]);
      await stopPostmaster(findPostmaster(cluster.home) ?? current, cluster.home, cluster.binaries);
      await watching;
    },
  };
}

/** Fast shutdown (clients are disconnected, nothing is lost), immediate shutdown if that takes over 30 s. */
async function stopPostmaster(
  { process: server }: Postmaster,
  home: PostgresHome,
  binaries: PostgresBinaries,
): Promise<void> {
  for (const [signal, patienceMs] of [
    ['SIGINT', 30_000],
    ['SIGQUIT', 10_000],
  ] as const) {
    if (!isRunning(server)) return;
    if (process.platform === 'win32') {
      await promisify(execFile)(binaries.pgCtl, ['stop', '-D', home.clusterDir, '-m', 'fast', '-t', '30']);
    } else {
      process.kill(server.pid, signal);
    }
    const deadline = Date.now() + patienceMs;
    while (isRunning(server) && Date.now() < deadline) await sleep(20);
  }
  if (isRunning(server)) throw new Error(`PostgreSQL (process ${server.pid}) does not stop.`);
}

async function withClient(passwords: Passwords, port: number, work: (client: pg.Client) => Promise<void>) {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: SUPERUSER,
    password: passwords.superuser,
    database: 'postgres',
    connectionTimeoutMillis: 5000,
  });
  client.on('error', () => {}); // A server that ends under us is seen by its process.
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}
