import { type FormEvent, useState } from 'react';
import { Link, Navigate, useLocation } from 'react-router';
import { ProblemError, sentenceOf } from '../../api/problem-error.js';
import { useServices } from '../../app/services.js';
import { Notice } from '../../ui/Notice.js';
import { PageHeading } from '../../ui/PageHeading.js';
import { useStore } from '../../ui/use-store.js';
import { AuthFrame } from './AuthFrame.js';
import { PasswordField } from './PasswordField.js';
import { TextField, UsernameField } from './TextField.js';

export function SignInPage() {
  const { session } = useServices();
  const state = useStore(session);
  const location = useLocation();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [totp, setTotp] = useState<string>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);

  if (state.status === 'signedIn') {
    const from: unknown = (location.state as { from?: unknown } | null)?.from;
    return <Navigate to={typeof from === 'string' ? from : '/'} replace />;
  }

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await session.signIn({ username, password, ...(totp ? { totp } : {}) });
    } catch (failure) {
      if (failure instanceof ProblemError && failure.code === 'TOTP_REQUIRED' && totp === undefined)
        setTotp('');
      else setError(failure);
      setBusy(false);
    }
  };

  return (
    <AuthFrame>
      <PageHeading title="Sign in" />
      {state.status === 'signedOut' && state.why === 'ended' && (
        <Notice tone="waiting" role="status">
          Your session has ended. Sign in again to go on; what was being sent continues then.
        </Notice>
      )}
      <form onSubmit={(event) => void submit(event)}>
        <UsernameField label="Username or email" value={username} onChange={setUsername} />
        <PasswordField autoComplete="current-password" value={password} onChange={setPassword} />
        {totp !== undefined && (
          <TextField
            label="Code from your authenticator app"
            name="totp"
            inputMode="numeric"
            autoComplete="one-time-code"
            required
            value={totp}
            onChange={setTotp}
          />
        )}
        {error !== undefined && (
          <Notice tone={isPending(error) ? 'waiting' : 'bad'} role="alert">
            {sentenceOf(error)}
          </Notice>
        )}
        <button type="submit" className="button button-primary button-big" disabled={busy}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
      <p className="muted">
        No account yet? <Link to="/register">Create an account</Link>
      </p>
    </AuthFrame>
  );
}

function isPending(error: unknown): boolean {
  return error instanceof ProblemError && error.code === 'ACCOUNT_PENDING';
}
