import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { IsolatedTasks, TaskFailed, TaskOutOfMemory, TaskTimedOut } from './isolated-tasks.js';
import type { IsolatedTaskName } from './task-process.js';

const program = new URL('./testing/misbehaving-process.ts', import.meta.url);
const opened: IsolatedTasks[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((tasks) => tasks.close()));
});

function openTasks(options: { timeoutMs?: number; memoryMb?: number } = {}): IsolatedTasks {
  const tasks = new IsolatedTasks({ ...options, program });
  opened.push(tasks);
  return tasks;
}

/** The tasks of the misbehaving program are not in the table of the real one. */
const named = (task: string) => task as IsolatedTaskName;

const double = (tasks: IsolatedTasks) =>
  tasks.run<Uint8Array, { bytes: Uint8Array }>(named('double'), Uint8Array.of(1, 2, 3));

test('gives back what the task returned', async () => {
  const tasks = openTasks();
  expect(await double(tasks)).toEqual({ bytes: Uint8Array.of(2, 4, 6) });
});

test('runs several tasks at once', async () => {
  const tasks = openTasks();
  const results = await Promise.all([double(tasks), double(tasks), double(tasks)]);
  expect(results).toEqual(new Array(3).fill({ bytes: Uint8Array.of(2, 4, 6) }));
});

test('kills a task that hangs, and goes on', async () => {
  const tasks = openTasks({ timeoutMs: 8000 });
  await expect(tasks.run(named('hang'), null)).rejects.toThrow(TaskTimedOut);
  expect(await double(tasks)).toEqual({ bytes: Uint8Array.of(2, 4, 6) });
});

test.each([
  ['many objects', 'hoard'],
  // With threads V8 would end the whole process here.
  ['one growing array', 'grow'],
])('kills a task that wants too much memory for %s, and goes on', async (_what, task) => {
  const tasks = openTasks({ memoryMb: 64 });
  await expect(tasks.run(named(task), null)).rejects.toThrow(TaskOutOfMemory);
  expect(await double(tasks)).toEqual({ bytes: Uint8Array.of(2, 4, 6) });
});

test('passes on the message of a task that threw, and goes on with its process', async () => {
  const tasks = openTasks();
  await expect(tasks.run(named('throw'), null)).rejects.toThrow(new TaskFailed('Not a picture'));
  expect(await double(tasks)).toEqual({ bytes: Uint8Array.of(2, 4, 6) });
});

test('fails a task whose process ends under it, and goes on', async () => {
  const tasks = openTasks();
  await expect(tasks.run(named('exit'), null)).rejects.toThrow(TaskFailed);
  expect(await double(tasks)).toEqual({ bytes: Uint8Array.of(2, 4, 6) });
});

test('ends the tasks under way when it is closed, and takes no more', async () => {
  const tasks = openTasks();
  const running = expect(tasks.run(named('hang'), null)).rejects.toThrow(TaskFailed);
  await tasks.close();
  await running;
  await expect(double(tasks)).rejects.toThrow(TaskFailed);
});

test('lets a process end that has not closed it', () => {
  const module = fileURLToPath(new URL('./isolated-tasks.ts', import.meta.url));
  const script = `
    import { IsolatedTasks } from ${JSON.stringify(module)};
    const tasks = new IsolatedTasks({ program: new URL(${JSON.stringify(program.href)}) });
    console.log((await tasks.run('double', Uint8Array.of(21))).bytes[0]);`;
  const child = spawnSync(
    process.execPath,
    ['--conditions=source', '--import', 'tsx', '--input-type=module', '--eval', script],
    { encoding: 'utf8', timeout: 15_000, cwd: fileURLToPath(new URL('..', import.meta.url)) },
  );
  expect(child).toMatchObject({ status: 0, stdout: '42\n' });
}, 20_000);
