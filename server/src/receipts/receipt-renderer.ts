import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/**
 * Renders receipts in a thread of their own, one at a time: a list of 2,000 images takes seconds, in which no byte of any
 * upload would be taken.
 */
export class ReceiptRenderer {
  readonly #render: (jws: string) => Promise<Uint8Array>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(render = renderInThread) {
    this.#render = render;
  }

  /**
   * Runs when those before it are done.
   *
   * @param known - asked then, as another request may have had the same one rendered meanwhile
   * @param jws - of the receipt
   */
  async render(known: () => Promise<Uint8Array | undefined>, jws: string): Promise<Uint8Array> {
    const ours = this.#turn.then(async () => (await known()) ?? this.#render(jws));
    this.#turn = ours.catch(() => undefined);
    return ours;
  }
}

async function renderInThread(jws: string): Promise<Uint8Array> {
  const thread = new Worker(new URL('./receipt-pdf-thread.js', import.meta.url), { workerData: jws });
  try {
    const exited = once(thread, 'exit').then(() => Promise.reject(new Error('The thread ended early')));
    exited.catch(() => {});
    const [pdf] = (await Promise.race([once(thread, 'message'), exited])) as [Uint8Array];
    return pdf;
  } finally {
    await thread.terminate();
  }
}
