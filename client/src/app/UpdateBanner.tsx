import { useStore } from '../ui/use-store.js';
import { useServices } from './services.js';
import { applyUpdate, update } from './update.js';

/** A new version of the app waits. It is taken when the person says so, never while something is being sent. */
export function UpdateBanner() {
  const { engine } = useServices();
  useStore(engine);
  if (!useStore(update).waiting) return null;
  return (
    <div className="update-banner" role="status">
      <span>A new version of RelayPACS is ready.</span>
      {engine.busy ? (
        <span>It can be taken when nothing is being sent.</span>
      ) : (
        <button type="button" className="button" onClick={applyUpdate}>
          Update now
        </button>
      )}
    </div>
  );
}
