import { Worker } from 'node:worker_threads';

/** Works without a loader, whether the rest was compiled or not. */
const PROGRAM = `
  const { createHash } = require('node:crypto');
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', (bytes) => parentPort.postMessage(createHash('md5').update(bytes).digest()));
`;

interface Waiting {
  resolve(digest: Buffer): void;
  reject(error: Error): void;
}

/**
 * Takes MD5 digests in a thread of its own: it is the slowest part of looking at a file, and the main thread looks at the
 * next one meanwhile. It is started when it is first needed, and does not keep the process running.
 */
class Md5Thread {
  private thread: Worker | undefined;
  /** In the order in which the thread answers. */
  private readonly waiting: Waiting[] = [];

  /** @throws what ended the thread; the next call starts another */
  digest(bytes: Uint8Array): Promise<Buffer> {
    const thread = this.start();
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      thread.ref();
      thread.postMessage(bytes);
    });
  }

  private start(): Worker {
    if (this.thread) return this.thread;
    const thread = new Worker(PROGRAM, { eval: true });
    const fail = (error: Error) => {
      if (this.thread === thread) this.thread = undefined;
      for (const { reject } of this.waiting.splice(0)) reject(error);
    };
    thread.on('message', (digest: Uint8Array) => {
      this.waiting.shift()?.resolve(Buffer.from(digest));
      if (this.waiting.length === 0) thread.unref();
    });
    thread.on('error', fail);
    thread.on('exit', () => fail(new Error('The thread that takes digests has ended')));
    this.thread = thread;
    return thread;
  }
}

const thread = new Md5Thread();

/** MD5 of bytes that lie in memory; they are copied. */
export const md5Beside = (bytes: Uint8Array): Promise<Buffer> => thread.digest(bytes);
