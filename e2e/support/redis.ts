import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../../scripts/free-port.js';
import { findProgram } from '../../scripts/test-services.js';
import { type ServerProcess, startServer } from './processes.js';

export interface RedisOptions {
  /** Where it keeps its append-only file; kept at the end. Default: a temporary folder, removed by `dispose`. */
  dir?: string;
  port?: number;
}

/** A real Redis (or Valkey) as production runs it: append-only file, no eviction; on loopback only. */
export interface Redis {
  /** What `REDIS_URL` is set to. */
  readonly url: string;
  /** undefined while it is not running, and for one given by URL. */
  readonly pid: number | undefined;
  /** Starts it again on the same data and port. */
  start(): Promise<void>;
  /** Stops it for a while; its data stays. */
  stop(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  /** Makes it forget everything, as an operator's mistake would. */
  flush(): Promise<void>;
  /** Stops it for good and removes its temporary folder. */
  dispose(): Promise<void>;
}

/** Starts Redis, or uses the one that `RELAYPACS_TEST_REDIS_URL` names (it can then not be stopped). */
export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  const given = process.env.RELAYPACS_TEST_REDIS_URL;
  if (given) return givenRedis(given);
  const program = findProgram('redis-server', 'valkey-server');
  if (!program) throw new Error('Redis is missing: run "npm test" once.');

  const dir = options.dir ?? (await mkdtemp(path.join(tmpdir(), 'relaypacs-redis-')));
  await mkdir(dir, { recursive: true });
  const port = options.port ?? (await freePort());
  const settings: Record<string, string> = {
    bind: '127.0.0.1',
    port: String(port),
    dir,
    appendonly: 'yes',
    save: '',
    'maxmemory-policy': 'noeviction',
  };
  let server: ServerProcess | undefined;
  const start = async () => {
    server = await startServer({
      command: program,
      args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
      cwd: dir,
      logFile: path.join(dir, 'redis.log'),
      isReady: () => answersPing(port),
    });
  };
  const stop = async () => server?.stop();
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return server?.isRunning() ? server.pid : undefined;
    },
    start,
    stop,
    kill: async () => server?.kill(),
    flush: async () => {
      if ((await ask(port, 'FLUSHALL')) !== '+OK') throw new Error('Redis did not flush');
    },
    dispose: async () => {
      await stop();
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
    },
  };
}

/** While it reads its append-only file it answers `-LOADING` instead. */
async function answersPing(port: number): Promise<boolean> {
  return (await ask(port, 'PING')) === '+PONG';
}

/** The first line of its answer to an inline command. */
async function ask(port: number, command: string): Promise<string | undefined> {
  const socket = connect(port, '127.0.0.1');
  try {
    socket.write(`${command}\r\n`);
    const [answer] = (await once(socket, 'data', { signal: AbortSignal.timeout(1000) })) as [Buffer];
    return answer.toString().split('\r\n', 1)[0];
  } finally {
    socket.destroy();
  }
}

function givenRedis(url: string): Redis {
  const refuse = async () => {
    throw new Error('The Redis of RELAYPACS_TEST_REDIS_URL is not ours to stop: unset it for this test.');
  };
  return {
    url,
    pid: undefined,
    start: refuse,
    stop: refuse,
    kill: refuse,
    flush: refuse,
    dispose: async () => {},
  };
}
