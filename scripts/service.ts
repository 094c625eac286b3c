import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '@relaypacs/core/config.js';
import { EXIT_CONFIG } from '@relaypacs/core/lifecycle.js';
import { shortLogLine } from './log-line.js';

export interface ServiceOptions {
  name: string;
  /** Absolute path of its `main.js`. */
  script: string;
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Every line it writes, to stdout or stderr. */
  onLine(line: string, source: 'stdout' | 'stderr'): void;
  /** Told, in sentences for people, when it ends and starts again. */
  say(sentence: string): void;
  /** Waits between restarts, in ms, the last one repeated. Default: 1, 2, 4, 8, 16, 30 s. */
  delaysMs?: readonly number[];
}

const DELAYS_MS = [1000, 2000, 4000, 8000, 16_000, 30_000];
/** A first start that ends this often will not get better. */
const FIRST_ATTEMPTS = 3;
const FIRST_READY_WITHIN_MS = 60_000;
/** After this long without a crash, the next one is taken for a new trouble. */
const CALM_AFTER_MS = 60_000;
const LAST_WORDS = 15;
/** Its last words may come a little after its end. */
const LAST_WORDS_WITHIN_MS = 500;

const CONFIG_ENDING = `exit code ${EXIT_CONFIG}`;

/**
 * A child process that is kept running. It says `{type: 'ready'}` over IPC when it serves, and stops by itself when that
 * channel closes, so that it never outlives us. In its own process group: Ctrl-C in the terminal reaches only us, and we
 * stop the children in order.
 */
export class Service {
  private readonly options: ServiceOptions;
  private readonly delaysMs: readonly number[];
  private child: ChildProcess | undefined;
  private stopping = new AbortController();
  private lastWords: string[] = [];
  private running: Promise<void> | undefined;

  constructor(options: ServiceOptions) {
    this.options = options;
    this.delaysMs = options.delaysMs ?? DELAYS_MS;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /**
   * Starts it and keeps it running from then on.
   *
   * @returns when it is ready for the first time
   * @throws ConfigError with its sentences when it cannot run with its configuration
   * @throws Error with its last words when it ends three times without getting ready, or not within 60 s
   */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(`The ${this.options.name} did not get ready within 60 s.${this.quoteLastWords()}`),
          ),
        FIRST_READY_WITHIN_MS,
      );
      const ready = () => {
        clearTimeout(timer);
        resolve();
      };
      this.running = this.keepRunning(ready, reject).finally(() => clearTimeout(timer));
    });
  }

  /**
   * Asks it to stop (SIGTERM), and ends it and whatever it has started when it has not within the grace.
   *
   * @param graceMs - how long it may take
   */
  async stop(graceMs: number): Promise<void> {
    this.stopping.abort();
    const { child } = this;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => {
        this.options.say(`The ${this.options.name} did not stop within ${graceMs / 1000} s and was ended.`);
        this.kill();
      }, graceMs);
      await this.running;
      clearTimeout(timer);
    }
    await this.running;
  }

  /** Ends it and whatever it has started, at once. */
  kill(): void {
    this.stopping.abort();
    const pid = this.child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }

  private async keepRunning(ready: () => void, giveUp: (error: Error) => void): Promise<void> {
    const { name, say } = this.options;
    let everReady = false;
    let failures = 0;
    while (!this.stopping.signal.aborted) {
      const startedAt = Date.now();
      const ending = await this.runOnce(() => {
        if (everReady) say(`The ${name} is ready again.`);
        everReady = true;
        ready();
      });
      if (this.stopping.signal.aborted) return;
      if (!everReady && ending === CONFIG_ENDING && this.lastWords.length > 0) {
        giveUp(new ConfigError(this.lastWords.join('\n')));
        return;
      }
      failures = Date.now() - startedAt > CALM_AFTER_MS ? 1 : failures + 1;
      if (!everReady && failures >= FIRST_ATTEMPTS) {
        giveUp(new Error(`The ${name} does not start (${ending}).${this.quoteLastWords()}`));
        return;
      }
      const delay = this.delaysMs[Math.min(failures, this.delaysMs.length) - 1] ?? 0;
      say(`The ${name} ended unexpectedly (${ending}). Starting it again in ${delay / 1000} s.`);
      await sleep(delay, undefined, { signal: this.stopping.signal }).catch(() => {});
    }
  }

  /** Runs it until it ends, and says how it ended. */
  private runOnce(onReady: () => void): Promise<string> {
    const { script, cwd, env, onLine } = this.options;
    this.lastWords = [];
    const child = spawn(process.execPath, [script], {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child = child;
    for (const source of ['stdout', 'stderr'] as const) {
      const input = child[source];
      if (!input) continue;
      createInterface({ input }).on('line', (line) => {
        this.lastWords = [...this.lastWords, line].slice(-LAST_WORDS);
        onLine(line, source);
      });
    }
    child.on('message', (message) => {
      if (typeof message === 'object' && 'type' in message && message.type === 'ready') onReady();
    });
    return new Promise((resolve) => {
      child.on('error', (error) => resolve(error.message));
      child.on('exit', async (code, signal) => {
        // `close` alone would wait for pipes that a process it left behind may hold open.
        await Promise.race([once(child, 'close'), sleep(LAST_WORDS_WITHIN_MS, undefined, { ref: false })]);
        resolve(signal ?? `exit code ${code}`);
      });
    });
  }

  private quoteLastWords(): string {
    const loud = this.lastWords.flatMap((line) => shortLogLine(this.options.name, line, 'stderr') ?? []);
    const words = loud.length > 0 ? loud : this.lastWords;
    return words.length === 0 ? '' : ` It said:\n${words.join('\n')}`;
  }
}
