import { type ReactNode, useState } from 'react';
import { Field } from '../../ui/Field.js';

interface PasswordFieldProps {
  value: string;
  autoComplete: 'current-password' | 'new-password';
  hint?: ReactNode;
  error?: string | undefined;
  onChange(password: string): void;
}

/** A password that can be shown (FR-AUTH-03): typing twelve characters blind on a phone goes wrong. */
export function PasswordField({ value, autoComplete, hint, error, onChange }: PasswordFieldProps) {
  const [shown, setShown] = useState(false);
  return (
    <Field label="Password" hint={hint} error={error}>
      {(control) => (
        <div className="password">
          <input
            {...control}
            className="input"
            type={shown ? 'text' : 'password'}
            name="password"
            autoComplete={autoComplete}
            autoCapitalize="none"
            autoCorrect="off"
            spellCheck={false}
            required
            value={value}
            onChange={(event) => onChange(event.target.value)}
          />
          <button
            type="button"
            aria-pressed={shown}
            aria-label={shown ? 'Hide password' : 'Show password'}
            onClick={() => setShown(!shown)}
          >
            {shown ? 'Hide' : 'Show'}
          </button>
        </div>
      )}
    </Field>
  );
}
