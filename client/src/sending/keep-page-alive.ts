import type { SendingEngine } from './engine.js';

/** While studies are being sent: asks before the page is closed, and keeps the screen (and with it the radio) on. */
export function keepPageAlive(engine: SendingEngine, page: Window): void {
  let busy = false;
  let lock: WakeLockSentinel | undefined;

  const askBeforeLeaving = (event: BeforeUnloadEvent) => {
    event.preventDefault();
    // Chrome before 119 asks only then.
    event.returnValue = true;
  };

  const holdScreen = async () => {
    if (!busy || lock || page.document.visibilityState !== 'visible') return;
    try {
      lock = await page.navigator.wakeLock?.request('screen');
      lock?.addEventListener('release', () => {
        lock = undefined;
      });
      if (!busy) await lock?.release();
    } catch {
      // Refused, for example to save the battery: sending works without it.
    }
  };

  engine.subscribe(() => {
    if (engine.busy === busy) return;
    busy = engine.busy;
    if (busy) {
      page.addEventListener('beforeunload', askBeforeLeaving);
      void holdScreen();
    } else {
      page.removeEventListener('beforeunload', askBeforeLeaving);
      void lock?.release();
    }
  });
  // The system takes the lock away whenever the page is hidden.
  page.document.addEventListener('visibilitychange', () => void holdScreen());
}
