import { Worker } from 'node:worker_threads';

export interface Digests {
  /** Null where it is not wanted. */
  md5: Buffer | null;
  sha256: Buffer;
}

/** What a thread is asked, and what it answers. */
interface Question {
  bytes: Uint8Array;
  withMd5: boolean;
}
type Answer = Record<keyof Digests, Uint8Array | undefined>;

const THREADS = 2;

/** Works without a loader, whether the rest was compiled or not. */
const PROGRAM = `
  const { createHash } = require('node:crypto');
  const { parentPort } = require('node:worker_threads');
  const digest = (algorithm, bytes) => createHash(algorithm).update(bytes).digest();
  parentPort.on('message', ({ bytes, withMd5 }) => {
    parentPort.postMessage({ md5: withMd5 ? digest('md5', bytes) : undefined, sha256: digest('sha256', bytes) });
  });
`;

interface Waiting {
  resolve(digests: Digests): void;
  reject(error: Error): void;
}

/** Started when it is first needed; does not keep the process running. */
class DigestThread {
  private thread: Worker | undefined;
  /** In the order in which the thread answers. */
  private readonly waiting: Waiting[] = [];

  get length(): number {
    return this.waiting.length;
  }

  /** @throws what ended the thread; the next call starts another */
  digest(question: Question): Promise<Digests> {
    const thread = this.start();
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      thread.ref();
      thread.postMessage(question);
    });
  }

  private start(): Worker {
    if (this.thread) return this.thread;
    const thread = new Worker(PROGRAM, { eval: true });
    const fail = (error: Error) => {
      if (this.thread !== thread) return;
      this.thread = undefined;
      void thread.terminate();
      for (const { reject } of this.waiting.splice(0)) reject(error);
    };
    thread.on('message', ({ md5, sha256 }: Answer) => {
      // Of one that failed: nobody waits for it any more.
      if (this.thread !== thread) return;
      const digests = { md5: md5 ? Buffer.from(md5) : null, sha256: Buffer.from(sha256 ?? []) };
      this.waiting.shift()?.resolve(digests);
      if (this.waiting.length === 0) thread.unref();
    });
    thread.on('error', fail);
    thread.on('messageerror', fail);
    thread.on('exit', () => fail(new Error('The thread that takes digests has ended')));
    this.thread = thread;
    return thread;
  }
}

const threads = Array.from({ length: THREADS }, () => new DigestThread());

/** Memory that threads read too, used again and again: copies made for each file would pile up until they are collected. */
const spare: SharedArrayBuffer[] = [];
/** Most bytes that are digested at once. */
export const MOST_BYTES = 8 * 1024 * 1024;

/**
 * Takes the digests of bytes that lie in memory, in a thread beside the main one: they are the slowest part of looking at
 * a file, and the main thread looks at others meanwhile.
 *
 * @param bytes - {@link MOST_BYTES} at most: they are copied
 */
export async function digestBeside(bytes: Uint8Array, withMd5: boolean): Promise<Digests> {
  const [free] = [...threads].sort((a, b) => a.length - b.length);
  if (!free) throw new Error('There are no threads');
  if (bytes.length > MOST_BYTES) throw new RangeError('The bytes are to be digested as a stream');
  const memory = spare.pop() ?? new SharedArrayBuffer(MOST_BYTES);
  const shared = new Uint8Array(memory, 0, bytes.length);
  shared.set(bytes);
  const digests = await free.digest({ bytes: shared, withMd5 });
  // Not where it failed: the thread may still read it.
  spare.push(memory);
  return digests;
}
