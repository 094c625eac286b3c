import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TaskAnswer, TaskRequest } from './serve-tasks.js';
import type { IsolatedTaskName } from './task-process.js';

const DEFAULT_TIMEOUT_MS = 20_000;
const DEFAULT_MEMORY_MB = 512;
/** Tasks that run at the same time; others wait. Each may take its memory twice: heap, and typed arrays. */
const AT_ONCE = 2;
/** A process keeps the heap it has grown to: one is kept warm, the others end with their work. */
const KEPT_IDLE = 1;

/** The task took longer than it may; its process has been ended. */
export class TaskTimedOut extends Error {
  override name = 'TaskTimedOut';
}

/** The task wanted more memory than it may have; its process has been ended. */
export class TaskOutOfMemory extends Error {
  override name = 'TaskOutOfMemory';
}

/** The task threw, or its process ended under it. */
export class TaskFailed extends Error {
  override name = 'TaskFailed';
}

export interface IsolatedTasksOptions {
  /** For one task, the start of its process included. Default 20 000. */
  timeoutMs?: number;
  /**
   * JavaScript heap of one process in MiB; default 512. Typed arrays lie outside of it: a task bounds those itself, by
   * the sizes a file declares.
   */
  memoryMb?: number;
  /** The process's program, which calls `serveTasks`; the default knows the tasks of the worker. */
  program?: URL;
}

/**
 * Runs the parsing of files from outside in processes of their own, which can be killed: a parser that loops or hoards
 * costs one task. (Threads will not do: V8 ends the whole process, not the thread, when one array outgrows its heap.)
 */
export class IsolatedTasks {
  readonly #timeoutMs: number;
  readonly #memoryMb: number;
  readonly #program: URL;
  readonly #processes = new Set<TaskProcess>();
  #idle: TaskProcess[] = [];
  #running = 0;
  readonly #waiting: Array<() => void> = [];
  #closed = false;

  constructor(options: IsolatedTasksOptions = {}) {
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#memoryMb = options.memoryMb ?? DEFAULT_MEMORY_MB;
    this.#program = options.program ?? besideThisFile('./task-process');
  }

  /**
   * @param input - reaches the task as a structured clone, and so does the result on its way back
   * @param timeoutMs - for a task that is known to take long; waiting for its turn does not count
   * @throws TaskTimedOut, TaskOutOfMemory, TaskFailed
   */
  async run<Input, Output>(
    task: IsolatedTaskName,
    input: Input,
    timeoutMs: number = this.#timeoutMs,
  ): Promise<Output> {
    await this.#turn();
    let child: TaskProcess | undefined;
    try {
      if (this.#closed) throw new TaskFailed('Isolated tasks are closed');
      child = this.#takeIdle() ?? this.#start();
      return (await child.run({ task, input }, timeoutMs)) as Output;
    } finally {
      if (child) await this.#release(child);
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** Ends every process; tasks under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#idle = [];
    await Promise.all([...this.#processes].map((child) => child.end('Isolated tasks were closed')));
    this.#processes.clear();
  }

  async #turn(): Promise<void> {
    while (this.#running >= AT_ONCE) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running += 1;
  }

  #takeIdle(): TaskProcess | undefined {
    const idle = this.#idle.findLast(({ alive }) => alive);
    this.#idle = this.#idle.filter((child) => child !== idle && child.alive);
    return idle;
  }

  #start(): TaskProcess {
    const child = new TaskProcess(this.#program, this.#memoryMb);
    this.#processes.add(child);
    return child;
  }

  async #release(child: TaskProcess): Promise<void> {
    if (child.alive && !this.#closed && this.#idle.length < KEPT_IDLE) {
      this.#idle.push(child);
      return;
    }
    this.#processes.delete(child);
    await child.end('No longer needed');
  }
}

/** One process, which works on one task at a time. */
class TaskProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #settle: ((outcome: Outcome) => void) | undefined;
  alive = true;

  constructor(program: URL, memoryMb: number) {
    const fromSource = program.pathname.endsWith('.ts') ? ['--conditions=source', '--import', 'tsx'] : [];
    this.#child = fork(fileURLToPath(program), [], {
      execArgv: [`--max-old-space-size=${memoryMb}`, ...fromSource],
      // Structured clones: bytes stay bytes.
      serialization: 'advanced',
      // What a parser prints may hold bytes of the file: it must not reach the log.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: {}, // No secret of ours is of use to a parser.
    });
    this.#exited = once(this.#child, 'exit').catch(() => undefined);
    this.#child.on('message', (answer: TaskAnswer) => this.#settleWith(toOutcome(answer)));
    this.#child.on('error', (error) => this.#fail(new TaskFailed(error.message)));
    this.#child.on('exit', (_code, signal) => this.#fail(endedBy(signal)));
    this.#keepUsAlive(false); // An idle process does not keep this one running.
  }

  async run(request: TaskRequest, timeoutMs: number): Promise<unknown> {
    const outcome = new Promise<Outcome>((resolve) => {
      this.#settle = resolve;
    });
    const timer = setTimeout(() => this.#fail(new TaskTimedOut(tookTooLong(request, timeoutMs))), timeoutMs);
    this.#keepUsAlive(true);
    try {
      this.#child.send(request, (error) => {
        if (error) this.#fail(new TaskFailed(error.message));
      });
      const settled = await outcome;
      if ('error' in settled) throw settled.error;
      return settled.output;
    } finally {
      clearTimeout(timer);
      this.#settle = undefined;
      this.#keepUsAlive(false);
    }
  }

  async end(reason: string): Promise<void> {
    this.#fail(new TaskFailed(reason));
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.ref(); // Its end is waited for.
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #keepUsAlive(keep: boolean): void {
    if (keep) {
      this.#child.ref();
      this.#child.channel?.ref();
    } else {
      this.#child.unref();
      this.#child.channel?.unref();
    }
  }

  #fail(error: Error): void {
    this.alive = false;
    this.#settleWith({ error });
  }

  #settleWith(outcome: Outcome): void {
    this.#settle?.(outcome);
  }
}

type Outcome = { output: unknown } | { error: Error };

function toOutcome(answer: TaskAnswer): Outcome {
  if ('output' in answer) return answer;
  const TaskError = answer.outOfMemory ? TaskOutOfMemory : TaskFailed;
  return { error: new TaskError(answer.failed) };
}

/** V8 aborts a process whose heap is full; the system kills one that has taken all memory. */
function endedBy(signal: NodeJS.Signals | null): Error {
  const outOfMemory =
    signal === 'SIGABRT' || signal === 'SIGKILL' || signal === 'SIGTRAP' || signal === 'SIGILL';
  return outOfMemory
    ? new TaskOutOfMemory('The process of the task ran out of memory')
    : new TaskFailed('The process of the task has ended');
}

const tookTooLong = ({ task }: TaskRequest, timeoutMs: number) =>
  `The task "${task}" took longer than ${timeoutMs} ms`;

/** A module of this folder as this one is: compiled, or a source that Node reads with tsx. */
function besideThisFile(name: string): URL {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`${name}${extension}`, import.meta.url);
}
