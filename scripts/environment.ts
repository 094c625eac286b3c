import path from 'node:path';
import { type Config, ConfigError, loadConfig } from '@relaypacs/core/config.js';

type Environment = Readonly<NodeJS.ProcessEnv>;

/** What `npm start` has to do, read from the environment. */
export interface StartPlan {
  config: Config;
  /** Run PostgreSQL ourselves: no `DATABASE_URL` is given. */
  embedded: boolean;
  /** Run the sandbox PACS: neither a database nor a PACS is given. */
  sandbox: { port: number; dir: string; url: string } | undefined;
  /** Show every log line of the services on the terminal. */
  logToTerminal: boolean;
}

const SANDBOX_HOST = '127.0.0.1';

/**
 * Reads and checks the environment before anything is started.
 *
 * @throws ConfigError with one line per variable that is wrong
 */
export function readStartPlan(env: Environment): StartPlan {
  const embedded = !env.DATABASE_URL && !env.DATABASE_URL_FILE;
  const config = loadConfig(embedded ? { ...env, DATABASE_URL: 'postgres://embedded' } : env);
  const sandboxPort = readPort('SANDBOX_PORT', env.SANDBOX_PORT || '8042');
  const runsSandbox = embedded && config.pacs.all.length === 0;
  if (runsSandbox && sandboxPort === config.port) {
    throw new ConfigError(`SANDBOX_PORT and PORT are both ${sandboxPort}; they must differ.`);
  }
  const { port: metricsPort, workerPort } = config.metrics;
  if (metricsPort !== undefined && metricsPort === workerPort) {
    throw new ConfigError(`METRICS_PORT and WORKER_METRICS_PORT are both ${workerPort}; they must differ.`);
  }
  const sandbox = {
    port: sandboxPort,
    dir: path.join(config.dataDir, 'sandbox'),
    url: `http://${SANDBOX_HOST}:${sandboxPort}`,
  };
  return {
    config,
    embedded,
    sandbox: runsSandbox ? sandbox : undefined,
    logToTerminal: readFlag('LOG_TO_TERMINAL', env.LOG_TO_TERMINAL || '0'),
  };
}

/**
 * The environment the services get: the user's own, with what the start has decided.
 *
 * @param databaseUrl - of the embedded database; undefined when the user gave one
 */
export function serviceEnvironment(
  env: Environment,
  { config, sandbox }: StartPlan,
  databaseUrl: string | undefined,
): NodeJS.ProcessEnv {
  return {
    NODE_ENV: 'production',
    ...env,
    PORT: String(config.port),
    DATA_DIR: config.dataDir,
    ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
    ...(sandbox && {
      PACS_URL: `${sandbox.url}/dicom-web`,
      SANDBOX_PORT: String(sandbox.port),
      SANDBOX_DIR: sandbox.dir,
    }),
  };
}

function readFlag(name: string, text: string): boolean {
  if (text !== '0' && text !== '1') throw new ConfigError(`${name} must be one of 0, 1, but is "${text}".`);
  return text === '1';
}

function readPort(name: string, text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ConfigError(`${name} must be a whole number from 1 to 65535, but is "${text}".`);
  }
  return port;
}
