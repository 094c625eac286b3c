import { ROLES, type Role } from '@relaypacs/core/contract/accounts.js';
import { Link, Navigate } from 'react-router';
import { useServices } from '../../app/services.js';
import { Field } from '../../ui/Field.js';
import { Notice } from '../../ui/Notice.js';
import { PageHeading } from '../../ui/PageHeading.js';
import { useStore } from '../../ui/use-store.js';
import { AuthFrame } from './AuthFrame.js';
import { PasswordField } from './PasswordField.js';
import { PasswordRules } from './PasswordRules.js';
import { TextField, UsernameField } from './TextField.js';
import { useRegistration } from './use-registration.js';

export function RegisterPage() {
  const { session } = useServices();
  const { status } = useStore(session);
  const { values, errors, problem, busy, pending, change, submit } = useRegistration();

  if (status === 'signedIn') return <Navigate to="/" replace />;
  if (pending) return <WaitsForApproval />;

  return (
    <AuthFrame>
      <PageHeading title="Create an account" />
      <form noValidate onSubmit={(event) => void submit(event)}>
        <TextField
          label="Full name"
          hint="Optional."
          error={errors.fullName}
          name="name"
          autoComplete="name"
          value={values.fullName}
          onChange={(fullName) => change({ fullName })}
        />
        <TextField
          label="Email"
          error={errors.email}
          type="email"
          name="email"
          autoComplete="email"
          required
          value={values.email}
          onChange={(email) => change({ email })}
        />
        <UsernameField
          label="Username"
          error={errors.username}
          value={values.username}
          onChange={(username) => change({ username })}
        />
        <TextField
          label="Facility"
          hint="The clinic or unit you work at. Optional; it may decide which PACS your studies go to."
          error={errors.facility}
          name="organization"
          autoComplete="organization"
          maxLength={128}
          value={values.facility}
          onChange={(facility) => change({ facility })}
        />
        <RoleField role={values.role} onChange={(role) => change({ role })} />
        <PasswordField
          autoComplete="new-password"
          value={values.password}
          error={errors.password}
          hint={<PasswordRules password={values.password} />}
          onChange={(password) => change({ password })}
        />
        {problem && (
          <Notice tone="bad" role="alert">
            {problem}
          </Notice>
        )}
        <button type="submit" className="button button-primary button-big" disabled={busy}>
          {busy ? 'Creating the account…' : 'Create account'}
        </button>
      </form>
      <p className="muted">
        You have an account? <Link to="/sign-in">Sign in</Link>
      </p>
    </AuthFrame>
  );
}

const ROLE_HINTS: Record<Role, string> = {
  Clinician: 'Sends studies and follows them.',
  Radiographer: 'Sends studies and follows them.',
  Radiologist: 'Reads studies. An administrator has to approve the account.',
  Admin: 'Runs this system. An administrator has to approve the account.',
};

function RoleField({ role, onChange }: { role: Role; onChange(role: Role): void }) {
  return (
    <Field label="Role" hint={ROLE_HINTS[role]}>
      {(control) => (
        <select
          {...control}
          className="input"
          name="role"
          value={role}
          onChange={(event) => onChange(event.target.value as Role)}
        >
          {ROLES.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      )}
    </Field>
  );
}

function WaitsForApproval() {
  return (
    <AuthFrame>
      <PageHeading title="Account created" />
      <Notice tone="waiting" role="status">
        Your account waits for approval. An administrator has to let you in; then you can sign in with the
        username and password you have just chosen.
      </Notice>
      <Link className="button" to="/sign-in">
        Back to sign-in
      </Link>
    </AuthFrame>
  );
}
