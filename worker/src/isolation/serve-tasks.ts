/** What the process is asked to do. */
export interface TaskRequest {
  task: string;
  input: unknown;
}

export type TaskAnswer = { output: unknown } | { failed: string; outOfMemory: boolean };

/** Finds the function that does a task, when it is first needed. */
export type TaskTable = Readonly<Record<string, () => Promise<(input: never) => unknown>>>;

/** Answers each message to this process with the result of the task it names. */
export function serveTasks(tasks: TaskTable): void {
  if (!process.send) throw new Error('Tasks are served in a child process only');
  process.on('message', async (request: TaskRequest) => {
    process.send?.(await answer(tasks, request));
  });
  // Whoever asked is gone.
  process.on('disconnect', () => process.exit());
}

async function answer(tasks: TaskTable, request: TaskRequest): Promise<TaskAnswer> {
  try {
    const load = tasks[request.task];
    if (!load) throw new Error(`There is no task "${request.task}"`);
    const work = await load();
    return { output: await work(request.input as never) };
  } catch (error) {
    const failed = error instanceof Error ? error.message : String(error);
    // V8 reports a typed array it has no room for as a RangeError, not by ending the process.
    return { failed, outOfMemory: error instanceof RangeError && /allocation failed/i.test(failed) };
  }
}
