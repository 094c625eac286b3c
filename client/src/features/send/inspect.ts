import type { InspectedIndex } from '../../workers/inspect-batch.js';
import type { InspectAnswer, InspectRequest } from '../../workers/prepare.worker.js';
import PrepareWorker from '../../workers/prepare.worker.js?worker';

/**
 * Looks into files in a worker, so that the page stays responsive.
 *
 * @param onInspected - called with each file's position in `files` as it becomes known
 * @throws Error when the worker cannot be started
 */
export function inspectFiles(
  files: readonly File[],
  onInspected: (inspected: readonly InspectedIndex[]) => void,
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
      end();
      reject(new Error('The files could not be checked.'));
    });
    worker.addEventListener('message', ({ data }: MessageEvent<InspectAnswer>) => {
      left -= data.inspected.length;
      onInspected(data.inspected);
      if (left === 0) end();
    });
    worker.postMessage({ files: files.map((file, index) => ({ index, file })) } satisfies InspectRequest);
  });
}
