import { registerSW } from 'virtual:pwa-register';
import { Store } from '../api/store.js';

const CHECK_EVERY_MS = 60 * 60 * 1000;

/** Whether a newer version of the app has been fetched and waits. */
export const update = new Store({ waiting: false });

let takeOver: (() => Promise<void>) | undefined;

/** Has the browser keep the app's pages and code, so that it opens without a network. */
export function registerServiceWorker(): void {
  takeOver = registerSW({
    onNeedRefresh: () => update.set({ waiting: true }),
    onRegisteredSW: (_url, registration) => {
      // An installed app may stay open for weeks.
      if (registration) setInterval(() => void registration.update().catch(() => undefined), CHECK_EVERY_MS);
    },
  });
}

/** Switches to the new version; the page reloads. */
export function applyUpdate(): void {
  void takeOver?.();
}
