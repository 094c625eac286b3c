import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** Only a hang takes as long: a busy machine may need many seconds. */
const START_LIMIT_MS = 60_000;

/** One process of RelayPACS under test: the built `main.js`, started, stopped and killed at will. */
export class ServiceProcess {
  readonly name: string;
  private readonly script: string;
  private readonly env: NodeJS.ProcessEnv;
  private readonly logFile: string;
  private readonly options: { args?: string[]; execArgv?: string[] };
  private child: ChildProcess | undefined;

  constructor(
    name: string,
    script: string,
    env: NodeJS.ProcessEnv,
    logFile: string,
    options: { args?: string[]; execArgv?: string[] } = {},
  ) {
    this.name = name;
    this.script = script;
    this.env = env;
    this.logFile = logFile;
    this.options = options;
  }

  get pid(): number {
    if (this.child?.pid === undefined) throw new Error(`${this.name} is not running`);
    return this.child.pid;
  }

  /** Everything it has logged, over all its lives. */
  get log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** Resolves with its address when the process says it is ready. */
  async start(): Promise<string> {
    const log = openSync(this.logFile, 'a');
    const { args = [], execArgv = [] } = this.options;
    const child = fork(this.script, args, { env: this.env, stdio: ['ignore', log, log, 'ipc'], execArgv });
    closeSync(log);
    this.child = child;
    return new Promise<string>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${this.name} ${why}\n${this.log.slice(-3000)}`));
      const limit = setTimeout(() => fail('did not get ready in time'), START_LIMIT_MS);
      child.once('exit', (code) => {
        clearTimeout(limit);
        fail(`ended with ${code} before it was ready`);
      });
      child.on('message', (message) => {
        if (message instanceof Object && 'type' in message && message.type === 'ready') {
          clearTimeout(limit);
          child.removeAllListeners('exit');
          resolve('address' in message ? String(message.address) : '');
        }
      });
    });
  }

  /** Asks it to stop and waits for its end. */
  async stop(): Promise<number | null> {
    return this.end('SIGTERM');
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.child;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
    return child.exitCode;
  }
}
