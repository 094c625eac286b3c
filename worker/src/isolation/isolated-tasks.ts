import type { Transferable } from 'node:worker_threads';
import { Worker } from 'node:worker_threads';
import type { TaskAnswer, TaskRequest } from './serve-tasks.js';
import type { IsolatedTaskName } from './task-thread.js';

const DEFAULT_TIMEOUT_MS = 20_000;
const DEFAULT_MEMORY_MB = 512;
/** A thread keeps the heap it has grown to: one is kept warm, the others end with their work. */
const KEPT_IDLE = 1;

/** The task took longer than it may; its thread has been ended. */
export class TaskTimedOut extends Error {
  override name = 'TaskTimedOut';
}

/** The task wanted more memory than it may have; its thread has been ended. */
export class TaskOutOfMemory extends Error {
  override name = 'TaskOutOfMemory';
}

/** The task threw, or its thread ended under it. */
export class TaskFailed extends Error {
  override name = 'TaskFailed';
}

export interface IsolatedTasksOptions {
  /** For one task, the start of its thread included. Default 20 000. */
  timeoutMs?: number;
  /**
   * JavaScript heap of one thread in MiB; default 512. Typed arrays lie outside of it: a task bounds those itself, by
   * the sizes a file declares.
   */
  memoryMb?: number;
  /** The thread's program, which calls `serveTasks`; the default knows the tasks of the worker. */
  program?: URL;
}

/**
 * Runs the parsing of files from outside in threads that can be killed: a parser that loops or hoards costs one task,
 * not the process. As many tasks run at once as are asked for; the caller bounds them.
 */
export class IsolatedTasks {
  readonly #timeoutMs: number;
  readonly #memoryMb: number;
  readonly #program: URL;
  readonly #threads = new Set<TaskThread>();
  #idle: TaskThread[] = [];
  #closed = false;

  constructor(options: IsolatedTasksOptions = {}) {
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#memoryMb = options.memoryMb ?? DEFAULT_MEMORY_MB;
    this.#program = options.program ?? besideThisFile('./task-thread');
  }

  /**
   * @param input - reaches the task as a structured clone, and so does the result on its way back
   * @param transfer - buffers of the input to hand over instead of copying; they are empty here afterwards
   * @param timeoutMs - for this one, in place of that of all tasks
   * @throws TaskTimedOut, TaskOutOfMemory, TaskFailed
   */
  async run<Input, Output>(
    task: IsolatedTaskName,
    input: Input,
    transfer: readonly Transferable[] = [],
    timeoutMs: number = this.#timeoutMs,
  ): Promise<Output> {
    if (this.#closed) throw new TaskFailed('Isolated tasks are closed');
    const thread = this.#idle.pop() ?? this.#start();
    try {
      return (await thread.run({ task, input }, transfer, timeoutMs)) as Output;
    } finally {
      await this.#release(thread);
    }
  }

  /** Ends every thread; tasks under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#idle = [];
    await Promise.all([...this.#threads].map((thread) => thread.end('Isolated tasks were closed')));
    this.#threads.clear();
  }

  #start(): TaskThread {
    const thread = new TaskThread(this.#program, this.#memoryMb);
    this.#threads.add(thread);
    return thread;
  }

  async #release(thread: TaskThread): Promise<void> {
    if (thread.alive && !this.#closed && this.#idle.length < KEPT_IDLE) {
      this.#idle.push(thread);
      return;
    }
    this.#threads.delete(thread);
    await thread.end('No longer needed');
  }
}

/** One thread, which works on one task at a time. */
class TaskThread {
  readonly #worker: Worker;
  #settle: ((outcome: Outcome) => void) | undefined;
  alive = true;

  constructor(program: URL, memoryMb: number) {
    const limits = {
      resourceLimits: { maxOldGenerationSizeMb: memoryMb },
      env: {}, // No secret of the process is of use to a parser.
      // What a parser prints may hold bytes of the file: it must not reach the log.
      stdout: true,
      stderr: true,
    };
    this.#worker = program.pathname.endsWith('.ts')
      ? new Worker(new URL('./thread-from-source.mjs', import.meta.url), {
          ...limits,
          workerData: { program: program.href },
          execArgv: ['--conditions=source'],
        })
      : new Worker(program, limits);
    this.#worker.stdout.resume();
    this.#worker.stderr.resume();
    this.#worker.on('message', (answer: TaskAnswer) => this.#settleWith(toOutcome(answer)));
    this.#worker.on('messageerror', (error) => this.#fail(new TaskFailed(error.message)));
    this.#worker.on('error', (error) => this.#fail(toTaskError(error)));
    this.#worker.on('exit', () => this.#fail(new TaskFailed('The thread of the task has ended')));
    this.#worker.unref(); // An idle thread does not keep the process running.
  }

  async run(request: TaskRequest, transfer: readonly Transferable[], timeoutMs: number): Promise<unknown> {
    const outcome = new Promise<Outcome>((resolve) => {
      this.#settle = resolve;
    });
    const timer = setTimeout(() => this.#fail(new TaskTimedOut(tookTooLong(request, timeoutMs))), timeoutMs);
    this.#worker.ref();
    try {
      this.#worker.postMessage(request, transfer);
      const settled = await outcome;
      if ('error' in settled) throw settled.error;
      return settled.output;
    } finally {
      clearTimeout(timer);
      this.#settle = undefined;
      this.#worker.unref();
    }
  }

  async end(reason: string): Promise<void> {
    this.#fail(new TaskFailed(reason));
    await this.#worker.terminate();
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

function toTaskError(error: Error & { code?: string }): Error {
  const outOfMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return outOfMemory ? new TaskOutOfMemory(error.message) : new TaskFailed(error.message);
}

const tookTooLong = ({ task }: TaskRequest, timeoutMs: number) =>
  `The task "${task}" took longer than ${timeoutMs} ms`;

/** A module of this folder as this one is: compiled, or a source that Node reads with tsx. */
function besideThisFile(name: string): URL {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`${name}${extension}`, import.meta.url);
}
