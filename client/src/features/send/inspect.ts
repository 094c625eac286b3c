import type { InspectAnswer, InspectRequest } from '../../workers/prepare.worker.js';
import PrepareWorker from '../../workers/prepare.worker.js?worker';

/**
 * Looks into files in a worker, so that the page stays responsive.
 *
 * @param onInspected - told of each file by its position in `files` as it becomes known, and how far archives are read
 * @throws Error when the worker cannot be started
 */
export function inspectFiles(
  files: readonly File[],
  onInspected: (answer: InspectAnswer) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (files.length === 0 || signal.aborted) return resolve();
    const worker = new PrepareWorker();
    let left = files.length;
    const end = () => {
      worker.terminate();
      signal.removeEventListener('abort', end);
      resolve();
    };
    signal.addEventListener('abort', end, { once: true });
    worker.addEventListener('error', () => {
      // Before the end, which would resolve.
      reject(new Error('The files could not be checked.'));
      end();
    });
    worker.addEventListener('message', ({ data }: MessageEvent<InspectAnswer>) => {
      left -= data.inspected.length;
      onInspected(data);
      if (left === 0) end();
    });
    worker.postMessage({ files: files.map((file, index) => ({ index, file })) } satisfies InspectRequest);
  });
}
