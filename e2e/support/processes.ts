import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Everything started here and not yet ended: it goes when the test process goes, however that ends. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface ServerProcess {
  readonly pid: number;
  /** Whether it has not ended yet. */
  isRunning(): boolean;
  /** Asks it to stop; ends it when it has not within 10 s. */
  stop(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
}

export interface ServerOptions {
  command: string;
  args: string[];
  cwd: string;
  env?: NodeJS.ProcessEnv;
  /** Gets everything it says; appended to. */
  logFile: string;
  /** Whether it serves; asked until it does. It may throw. */
  isReady(): Promise<boolean>;
}

/** Only a hang takes as long: a busy machine may need many seconds. */
const READY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 10_000;

/**
 * Starts a server and waits until it serves.
 *
 * @throws Error with its last words when it ends, or does not get ready within 60 s
 */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const log = openSync(options.logFile, 'a');
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));

  const isRunning = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  const end = async (signal: NodeJS.Signals) => {
    if (!isRunning()) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    await exit;
    clearTimeout(timer);
  };

  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await options.isReady().catch(() => false))) {
    if (isRunning() && Date.now() < deadline) {
      await sleep(50);
      continue;
    }
    const why = isRunning() ? 'did not get ready in time' : 'ended at once';
    await end('SIGKILL');
    const words = existsSync(options.logFile) ? readFileSync(options.logFile, 'utf8').slice(-3000) : '';
    throw new Error(`${options.command} ${why}:\n${words}`);
  }
  return {
    pid: child.pid ?? -1,
    isRunning,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}
