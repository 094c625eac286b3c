import { Logo } from '../ui/Icon.js';
import { Notice } from '../ui/Notice.js';
import { useServices } from './services.js';

/** Before it is known who is signed in. */
export function Starting({ unreachable }: { unreachable: boolean }) {
  const { session } = useServices();
  return (
    <main className="starting">
      <Logo size={56} />
      {unreachable ? (
        <>
          <h1>RelayPACS cannot be reached</h1>
          <Notice tone="waiting" role="status">
            There is no connection to the server at the moment. This page goes on by itself when the network
            is back.
          </Notice>
          <button type="button" className="button" onClick={() => void session.restore()}>
            Try again now
          </button>
        </>
      ) : (
        <p className="muted" role="status">
          Starting RelayPACS…
        </p>
      )}
    </main>
  );
}
