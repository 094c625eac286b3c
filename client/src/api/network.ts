import { Store } from './store.js';

/** Whether this device has a network at all, as far as the browser knows. */
export class Network extends Store<{ online: boolean }> {
  constructor(online: boolean) {
    super({ online });
  }

  get online(): boolean {
    return this.value.online;
  }

  change(online: boolean): void {
    if (online !== this.online) this.set({ online });
  }

  /** Resolves at once when online, else when the network comes back or `signal` aborts. */
  async whenOnline(signal?: AbortSignal): Promise<void> {
    if (!this.online) await this.#nextChange(signal, undefined);
  }

  /** Waits `milliseconds`, or less when the network comes back or `signal` aborts. */
  async waitBeforeRetry(milliseconds: number, signal?: AbortSignal): Promise<void> {
    await this.#nextChange(signal, milliseconds);
  }

  #nextChange(signal: AbortSignal | undefined, milliseconds: number | undefined): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        unsubscribe();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = milliseconds === undefined ? undefined : setTimeout(done, milliseconds);
      const unsubscribe = this.subscribe(() => {
        if (this.online) done();
      });
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}

/** The network as the browser reports it. */
export function watchNetwork(page: Window): Network {
  const network = new Network(page.navigator.onLine);
  page.addEventListener('online', () => network.change(true));
  page.addEventListener('offline', () => network.change(false));
  return network;
}
