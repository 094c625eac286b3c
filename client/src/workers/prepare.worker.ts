import '../old-browsers.js';
import { type FileToInspect, type InspectedIndex, inspectBatch } from './inspect-batch.js';

/** What the page asks of the worker, and what it gets back, a few files at a time. */
export interface InspectRequest {
  files: readonly FileToInspect[];
}
export interface InspectAnswer {
  inspected: readonly InspectedIndex[];
}

self.addEventListener('message', (event: MessageEvent<InspectRequest>) => {
  void inspectBatch(event.data.files, (inspected) => {
    self.postMessage({ inspected } satisfies InspectAnswer);
  });
});
