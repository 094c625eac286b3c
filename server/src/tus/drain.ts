import type { IncomingMessage } from 'node:http';

const MOST_BYTES = 64 * 1024 * 1024;
const MOST_MS = 5000;

/**
 * Reads what is left of a request body and throws it away, within bounds. An answer that comes before the body is
 * read is often lost: the connection is reset under the client while it still writes.
 */
export function drain(req: IncomingMessage): Promise<void> {
  if (req.complete || req.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let left = MOST_BYTES;
    const done = () => {
      clearTimeout(timer);
      req.off('data', count).off('end', done).off('close', done).off('error', done);
      resolve();
    };
    const count = (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) done();
    };
    const timer = setTimeout(done, MOST_MS);
    req.on('data', count).on('end', done).on('close', done).on('error', done);
    req.resume();
  });
}
