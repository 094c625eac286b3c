import type { UploadStatus } from '@relaypacs/core/contract/uploads.js';
import { openEventStream } from './event-stream.js';
import type { Network } from './network.js';
import type { Session } from './session.js';
import { Store } from './store.js';

/** An upload changed; without an id: anything may have changed, look again. */
export interface LiveChange {
  uploadId?: string;
  status?: UploadStatus;
}

const POLL_MS = 5_000;

/**
 * Tells the pages when to look again: by the server's event stream while the page is visible and somebody is
 * signed in, by a poll every 5 s while there is no stream, and once whenever the page comes back into view.
 */
export class LiveUpdates extends Store<{ connected: boolean }> {
  readonly #session: Session;
  readonly #network: Network;
  readonly #page: Document;
  readonly #watchers = new Set<(change: LiveChange) => void>();
  #stream: { close(): void } | undefined;
  #poll: ReturnType<typeof setInterval> | undefined;

  constructor(session: Session, network: Network, page: Document) {
    super({ connected: false });
    this.#session = session;
    this.#network = network;
    this.#page = page;
    session.subscribe(() => this.#arrange());
    page.addEventListener('visibilitychange', () => this.#arrange());
    this.#arrange();
  }

  watch(watcher: (change: LiveChange) => void): () => void {
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
    };
  }

  /** Opens or closes the stream. A hidden page needs none; over HTTP/1.1 each one takes one of six connections. */
  #arrange(): void {
    const wanted = this.#session.value.status === 'signedIn' && this.#page.visibilityState === 'visible';
    if (wanted === (this.#stream !== undefined)) return;
    if (!wanted) {
      this.#stream?.close();
      this.#stream = undefined;
      clearInterval(this.#poll);
      this.set({ connected: false });
      return;
    }
    this.#poll = setInterval(() => {
      if (!this.value.connected && this.#network.online) this.#tell({});
    }, POLL_MS);
    this.#stream = openEventStream({
      network: this.#network,
      open: (headers, signal) => this.#session.open('GET', '/api/v1/events', { headers, signal }),
      onUpload: (event) => this.#tell(event),
      onOpen: () => {
        this.set({ connected: true });
        this.#tell({});
      },
      onDown: () => this.set({ connected: false }),
    });
  }

  #tell(change: LiveChange): void {
    for (const watcher of [...this.#watchers]) watcher(change);
  }
}
