import type { Logger } from '@relaypacs/core/observability/logger.js';

export interface UpkeepTask {
  name: string;
  everyMs: number;
  /** @returns how much it did, for the log */
  run(): Promise<number>;
}

/**
 * Runs each task at once and then again `everyMs` after its last end. A task that fails is logged and comes again.
 *
 * @returns a function that stops all of them and waits for those that run
 */
export function startUpkeep(tasks: readonly UpkeepTask[], logger: Logger): () => Promise<void> {
  const stopped = new AbortController();
  const loops = tasks.map(async ({ name, everyMs, run }) => {
    while (!stopped.signal.aborted) {
      try {
        const count = await run();
        if (count > 0) logger.info('Upkeep', { task: name, count });
      } catch (error) {
        logger.error('Upkeep failed and will be tried again', { task: name, error });
      }
      await pause(everyMs, stopped.signal);
    }
  });
  return async () => {
    stopped.abort();
    await Promise.all(loops);
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
