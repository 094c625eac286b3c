import { RegisterRequestSchema, ROLES, type Role } from '@relaypacs/core/contract/accounts.js';
import { type FormEvent, useState } from 'react';
import { Link, Navigate } from 'react-router';
import { NetworkError, ProblemError, sentenceOf } from '../../api/problem-error.js';
import { useServices } from '../../app/services.js';
import { Field } from '../../ui/Field.js';
import { Notice } from '../../ui/Notice.js';
import { PageHeading } from '../../ui/PageHeading.js';
import { useStore } from '../../ui/use-store.js';
import { AuthFrame } from './AuthFrame.js';
import { PasswordField } from './PasswordField.js';
import { PasswordRules } from './PasswordRules.js';

type FieldName = 'username' | 'email' | 'fullName' | 'password' | 'role';

const ROLE_HINTS: Record<Role, string> = {
  Clinician: 'Sends studies and follows them.',
  Radiographer: 'Sends studies and follows them.',
  Radiologist: 'Reads studies. An administrator has to approve the account.',
  Admin: 'Runs this system. An administrator has to approve the account.',
};

const TAKEN: Record<string, FieldName> = { USERNAME_TAKEN: 'username', EMAIL_TAKEN: 'email' };

export function RegisterPage() {
  const { session } = useServices();
  const { status } = useStore(session);
  const [values, setValues] = useState({ username: '', email: '', fullName: '', password: '' });
  const [role, setRole] = useState<Role>('Clinician');
  const [errors, setErrors] = useState<Partial<Record<FieldName, string>>>({});
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [pending, setPending] = useState(false);

  if (status === 'signedIn') return <Navigate to="/" replace />;
  if (pending) return <WaitsForApproval />;

  const change = (field: keyof typeof values) => (event: { target: { value: string } }) =>
    setValues({ ...values, [field]: event.target.value });

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    setProblem(undefined);
    const parsed = RegisterRequestSchema.safeParse({
      ...values,
      fullName: values.fullName.trim() || undefined,
      role,
    });
    if (!parsed.success) {
      setErrors(errorsByField(parsed.error.issues.map(({ path, message }) => [String(path[0]), message])));
      return focusFirstError(form);
    }
    setErrors({});
    setBusy(true);
    try {
      const { pendingApproval } = await session.register(parsed.data);
      if (pendingApproval) return setPending(true);
      await session.signIn({ username: values.username.trim(), password: values.password });
    } catch (error) {
      setBusy(false);
      const taken = error instanceof ProblemError ? TAKEN[error.code] : undefined;
      if (error instanceof ProblemError && taken) setErrors({ [taken]: error.message });
      else if (error instanceof ProblemError && error.fields.length > 0) {
        setErrors(errorsByField(error.fields.map(({ path, message }) => [path, message])));
      } else setProblem(sentenceOf(error instanceof Error ? error : new NetworkError(error)));
      focusFirstError(form);
    }
  };

  return (
    <AuthFrame>
      <PageHeading title="Create an account" />
      <form noValidate onSubmit={(event) => void submit(event)}>
        <Field
          label="Full name"
          hint="Optional. Colleagues see it beside what you send."
          error={errors.fullName}
        >
          {(control) => (
            <input
              {...control}
              className="input"
              name="name"
              autoComplete="name"
              value={values.fullName}
              onChange={change('fullName')}
            />
          )}
        </Field>
        <Field label="Email" error={errors.email}>
          {(control) => (
            <input
              {...control}
              className="input"
              type="email"
              name="email"
              autoComplete="email"
              required
              value={values.email}
              onChange={change('email')}
            />
          )}
        </Field>
        <Field label="Username" error={errors.username}>
          {(control) => (
            <input
              {...control}
              className="input"
              name="username"
              autoComplete="username"
              autoCapitalize="none"
              autoCorrect="off"
              spellCheck={false}
              required
              value={values.username}
              onChange={change('username')}
            />
          )}
        </Field>
        <Field label="Role" hint={ROLE_HINTS[role]}>
          {(control) => (
            <select
              {...control}
              className="input"
              name="role"
              value={role}
              onChange={(event) => setRole(event.target.value as Role)}
            >
              {ROLES.map((each) => (
                <option key={each}>{each}</option>
              ))}
            </select>
          )}
        </Field>
        <PasswordField
          autoComplete="new-password"
          value={values.password}
          error={errors.password}
          hint={<PasswordRules password={values.password} />}
          onChange={(password) => setValues({ ...values, password })}
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

/** The first message of each field: fixing one is enough to think about at a time. */
function errorsByField(issues: ReadonlyArray<readonly [string, string]>): Partial<Record<FieldName, string>> {
  return Object.fromEntries([...issues].reverse());
}

function focusFirstError(form: HTMLFormElement): void {
  requestAnimationFrame(() => form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
}
