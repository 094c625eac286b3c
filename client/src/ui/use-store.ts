import { useSyncExternalStore } from 'react';
import type { Store } from '../api/store.js';

/** The present value of a store; the component is drawn again when it changes. */
export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.snapshot);
}
