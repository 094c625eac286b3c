import { useEffect, useRef, useState } from 'react';
import { sentenceOf } from '../api/problem-error.js';
import { Dialog } from '../ui/Dialog.js';
import { Icon } from '../ui/Icon.js';
import { useStore } from '../ui/use-store.js';
import { useServices } from './services.js';

/** Who is signed in, and the way out. */
export function AccountMenu() {
  const { session, engine } = useServices();
  useStore(session);
  const [open, setOpen] = useState(false);
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState('');
  const ref = useRef<HTMLDivElement>(null);
  const user = session.user;

  useEffect(() => {
    if (!open) return;
    const closeOutside = (event: Event) => {
      if (event.target instanceof Node && !ref.current?.contains(event.target)) setOpen(false);
    };
    const closeOnEscape = (event: KeyboardEvent) => {
      if (event.key === 'Escape') setOpen(false);
    };
    document.addEventListener('pointerdown', closeOutside);
    document.addEventListener('focusin', closeOutside);
    document.addEventListener('keydown', closeOnEscape);
    return () => {
      document.removeEventListener('pointerdown', closeOutside);
      document.removeEventListener('focusin', closeOutside);
      document.removeEventListener('keydown', closeOnEscape);
    };
  }, [open]);

  if (!user) return null;
  const name = user.fullName || user.username;

  const signOut = () => {
    setAsking(false);
    setProblem('');
    session.signOut().catch((error: unknown) => setProblem(sentenceOf(error)));
  };

  return (
    <div className="account" ref={ref}>
      <button
        type="button"
        className="icon-button account-button"
        aria-expanded={open}
        aria-controls="account-panel"
        aria-label={`Account of ${name}`}
        onClick={() => setOpen(!open)}
      >
        <Icon name="user" size={22} />
      </button>
      <div className="account-panel card" id="account-panel" hidden={!open}>
        <div>
          <strong>{name}</strong>
          <div className="muted small">
            {user.role} · {user.email}
          </div>
          {user.facility && <div className="muted small">{user.facility}</div>}
        </div>
        <button type="button" className="button" onClick={() => (engine.busy ? setAsking(true) : signOut())}>
          Sign out
        </button>
        {problem && (
          <p className="field-error" role="alert">
            {problem}
          </p>
        )}
      </div>
      {asking && (
        <Dialog
          title="Studies are still being sent"
          onDismiss={() => setAsking(false)}
          actions={
            <>
              <button type="button" className="button" onClick={() => setAsking(false)}>
                Keep sending
              </button>
              <button type="button" className="button button-danger" onClick={signOut}>
                Stop and sign out
              </button>
            </>
          }
        >
          <p>If you sign out now, sending stops and these studies do not get to the PACS.</p>
        </Dialog>
      )}
    </div>
  );
}
