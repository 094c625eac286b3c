import { parentPort } from 'node:worker_threads';

/** What the thread is asked to do. */
export interface TaskRequest {
  task: string;
  input: unknown;
}

export type TaskAnswer = { output: unknown } | { failed: string; outOfMemory: boolean };

/** Finds the function that does a task, when it is first needed. */
export type TaskTable = Readonly<Record<string, () => Promise<(input: never) => unknown>>>;

/** Answers each message to this thread with the result of the task it names. */
export function serveTasks(tasks: TaskTable): void {
  const port = parentPort;
  if (!port) throw new Error('Tasks are served in a worker thread only');
  port.on('message', async (request: TaskRequest) => {
    try {
      const load = tasks[request.task];
      if (!load) throw new Error(`There is no task "${request.task}"`);
      const work = await load();
      const output = await work(request.input as never);
      port.postMessage({ output } satisfies TaskAnswer, buffersOf(output));
    } catch (error) {
      port.postMessage(describeFailure(error));
    }
  });
}

function describeFailure(error: unknown): TaskAnswer {
  const failed = error instanceof Error ? error.message : String(error);
  // V8 reports a typed array it has no room for as a RangeError, not by ending the thread.
  return { failed, outOfMemory: error instanceof RangeError && /allocation failed/i.test(failed) };
}

/** Buffers of a result, or of its direct members, that can be handed over instead of copied. */
function buffersOf(output: unknown): ArrayBuffer[] {
  if (typeof output !== 'object' || output === null) return [];
  const buffers = [output, ...Object.values(output)]
    .filter((value): value is Uint8Array => value instanceof Uint8Array)
    // A part of a larger buffer may be one of Node's shared pool, which cannot be given away.
    .filter((bytes) => bytes.byteLength === bytes.buffer.byteLength)
    .map((bytes) => bytes.buffer)
    .filter((buffer) => buffer instanceof ArrayBuffer);
  return [...new Set(buffers)];
}
