import type { Session } from '../api/session.js';

/** Signing in or out in one tab does the same in the others. */
export function shareSessionAmongTabs(session: Session): void {
  if (typeof BroadcastChannel === 'undefined') return;
  const channel = new BroadcastChannel('relaypacs-session');
  let hearing = false;
  let last = session.value.status;
  session.subscribe(() => {
    const { status } = session.value;
    const changed = status !== last;
    last = status;
    if (!changed || hearing) return;
    if (status === 'signedIn' || status === 'signedOut') channel.postMessage(status);
  });
  channel.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
    hearing = true;
    if (data === 'signedOut' && session.value.status === 'signedIn') session.signedOutElsewhere();
    hearing = false;
    if (data === 'signedIn' && session.value.status === 'signedOut') void session.restore();
  });
}
