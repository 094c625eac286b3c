import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/**
 * Set in the environment of a test run: whatever the run starts, however deep, carries it. Runs inside runs add their
 * name, separated by spaces.
 */
const VARIABLE = 'RELAYPACS_TEST_RUN';

/** Begins a test run: what this process starts from now on belongs to it. */
export function beginTestRun(): string {
  const run = randomUUID();
  process.env[VARIABLE] = [process.env[VARIABLE], run].filter(Boolean).join(' ');
  return run;
}

/**
 * The processes that were started in a test run and still run, this one excepted (Linux only; elsewhere none are seen).
 *
 * @param run - what {@link beginTestRun} returned
 */
export function leftoverProcesses(run: string): { pid: number; command: string }[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        const environment = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0');
        const runs = environment
          .find((entry) => entry.startsWith(`${VARIABLE}=`))
          ?.slice(VARIABLE.length + 1);
        if (!runs?.split(' ').includes(run)) return [];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').join(' ').trim();
        return command === '' ? [] : [{ pid: Number(name), command }];
      } catch {
        return []; // It has ended meanwhile, or is another user's.
      }
    });
}

/** Ends what a test run has left, and says what it was. */
export function endLeftoverProcesses(run: string): string[] {
  return leftoverProcesses(run).map(({ pid, command }) => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
    return `${pid} ${command.slice(0, 120)}`;
  });
}
