import { useStore } from '../ui/use-store.js';
import { useServices } from './services.js';

/** Whether what is shown is live. */
export function NetworkSign() {
  const { network, live } = useServices();
  const { online } = useStore(network);
  const { connected } = useStore(live);
  const state = !online ? 'offline' : connected ? 'online' : 'connecting';
  const words = { online: 'Online', connecting: 'Connecting…', offline: 'Offline' }[state];
  return (
    <span className={`network network-${state}`}>
      <span className="network-dot" aria-hidden="true" />
      <span className="network-words">{words}</span>
    </span>
  );
}
