import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { EmbeddedPostgres } from '../../scripts/embedded-postgres.js';
import { freePort } from '../../scripts/free-port.js';
import { projectRoot } from '../../scripts/project-root.js';
import { startDatabase } from './database-template.js';
import { ServiceProcess } from './service-process.js';

export interface StackOptions {
  /** Variables on top of the defaults: `PACS_URL`, limits, `REDIS_URL`. */
  env?: Record<string, string>;
  /** false: no worker yet; start it with `stack.worker.start()`. */
  worker?: boolean;
}

export interface AddedServer {
  baseUrl: string;
  process: ServiceProcess;
}

/** RelayPACS as it is deployed: PostgreSQL, one server, one worker, each a process of its own. */
export interface Stack {
  baseUrl: string;
  dataDir: string;
  databaseUrl: string;
  /** Comes back by itself when it is killed. */
  postgres: EmbeddedPostgres;
  server: ServiceProcess;
  worker: ServiceProcess;
  /** A second worker on the same database and storage; stopped with the stack. */
  addWorker(env?: Record<string, string>): Promise<ServiceProcess>;
  /** A second server on the same database and storage, on a port of its own; stopped with the stack. */
  addServer(env?: Record<string, string>): Promise<AddedServer>;
  stop(): Promise<void>;
}

/** Starts everything on free ports and a fresh folder below the system's temporary one. */
export async function startStack({
  env = {},
  worker: startsWorker = true,
}: StackOptions = {}): Promise<Stack> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'relaypacs e2e-'));
  const postgres = await startDatabase(dataDir);
  const databaseUrl = postgres.url;
  const port = await freePort();
  const variables: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    NODE_ENV: 'production',
    PORT: String(port),
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    RATE_LIMIT_DISABLED: '1',
    // Nobody has to be told first that a server stops.
    SHUTDOWN_DELAY_SECONDS: '0',
    ...env,
  };
  const main = (name: string) => path.join(projectRoot, name, 'dist', 'main.js');
  const log = (name: string) => path.join(dataDir, `${name}.log`);
  const server = new ServiceProcess('server', main('server'), variables, log('server'));
  const worker = new ServiceProcess('worker', main('worker'), variables, log('worker'));
  const services = [server, worker];
  const stop = async () => {
    await Promise.all(services.map((service) => service.stop()));
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    await Promise.all([server.start(), ...(startsWorker ? [worker.start()] : [])]);
  } catch (error) {
    await stop();
    throw error;
  }
  const add = async (kind: 'server' | 'worker', more: Record<string, string>) => {
    const name = `${kind}-${services.length}`;
    const another = new ServiceProcess(name, main(kind), { ...variables, ...more }, log(name));
    services.push(another);
    await another.start();
    return another;
  };
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    dataDir,
    databaseUrl,
    postgres,
    server,
    worker,
    addWorker: (more = {}) => add('worker', more),
    async addServer(more = {}) {
      const ownPort = String(await freePort());
      return {
        process: await add('server', { PORT: ownPort, ...more }),
        baseUrl: `http://127.0.0.1:${ownPort}`,
      };
    },
    stop,
  };
}
