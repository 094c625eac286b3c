import { RegisterRequestSchema, type Role } from '@relaypacs/core/contract/accounts.js';
import { plainWords } from '@relaypacs/core/contract/plain-words.js';
import { type FormEvent, useState } from 'react';
import { NetworkError, ProblemError, sentenceOf } from '../../api/problem-error.js';
import { useServices } from '../../app/services.js';

interface RegistrationValues {
  username: string;
  email: string;
  fullName: string;
  facility: string;
  password: string;
  role: Role;
}

type FieldErrors = Partial<Record<keyof RegistrationValues, string>>;

const TAKEN: Record<string, keyof RegistrationValues> = {
  USERNAME_TAKEN: 'username',
  EMAIL_TAKEN: 'email',
};

/** What is typed into the registration form, what is wrong with it, and sending it off. */
export function useRegistration() {
  const { session } = useServices();
  const [values, setValues] = useState<RegistrationValues>({
    username: '',
    email: '',
    fullName: '',
    facility: '',
    password: '',
    role: 'Clinician',
  });
  const [errors, setErrors] = useState<FieldErrors>({});
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const [pending, setPending] = useState(false);

  const change = (changed: Partial<RegistrationValues>) => setValues({ ...values, ...changed });

  const refused = (error: unknown) => {
    const taken = error instanceof ProblemError ? TAKEN[error.code] : undefined;
    if (error instanceof ProblemError && taken) setErrors({ [taken]: error.message });
    else if (error instanceof ProblemError && error.fields.length > 0) {
      setErrors(errorsByField(error.fields.map(({ path, message }) => [path, message])));
    } else setProblem(sentenceOf(error instanceof Error ? error : new NetworkError(error)));
  };

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    setProblem(undefined);
    const given = {
      ...values,
      fullName: values.fullName.trim() || undefined,
      facility: values.facility.trim() || undefined,
    };
    const parsed = RegisterRequestSchema.safeParse(given, { error: plainWords });
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
      refused(error);
      focusFirstError(form);
    }
  };

  return { values, errors, problem, busy, pending, change, submit };
}

/** The first message of each field: fixing one is enough to think about at a time. */
function errorsByField(issues: ReadonlyArray<readonly [string, string]>): FieldErrors {
  return Object.fromEntries([...issues].reverse());
}

function focusFirstError(form: HTMLFormElement): void {
  requestAnimationFrame(() => form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
}
