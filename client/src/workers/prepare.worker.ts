import '../old-browsers.js';
import './old-worker-browsers.js';
import { type FileToInspect, type InspectedSoFar, inspectBatch } from './inspect-batch.js';

/** What the page asks of the worker, and what it gets back, a few files at a time. */
export interface InspectRequest {
  files: readonly FileToInspect[];
}
export type InspectAnswer = InspectedSoFar;

self.addEventListener('message', (event: MessageEvent<InspectRequest>) => {
  void inspectBatch(event.data.files, (soFar) => self.postMessage(soFar satisfies InspectAnswer));
});
