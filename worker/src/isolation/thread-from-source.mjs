// Starts a thread whose program is a TypeScript source, for tests and development: Node 20 does not apply `--import tsx`
// to the first file of a thread. The compiled worker does not come here.
import { workerData } from 'node:worker_threads';
import { register } from 'tsx/esm/api';

register();
await import(workerData.program);
