import type { ComponentProps, ReactNode } from 'react';
import { Field } from '../../ui/Field.js';

interface TextFieldProps extends Omit<ComponentProps<'input'>, 'value' | 'onChange'> {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  value: string;
  onChange(text: string): void;
}

/** A labelled line of text. What is not named here goes to the input as it is. */
export function TextField({ label, hint, error, onChange, ...input }: TextFieldProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => (
        <input {...control} {...input} className="input" onChange={(event) => onChange(event.target.value)} />
      )}
    </Field>
  );
}

/** The name somebody signs in with, which keyboards must not correct. */
export function UsernameField(props: Pick<TextFieldProps, 'label' | 'error' | 'value' | 'onChange'>) {
  return (
    <TextField
      {...props}
      name="username"
      autoComplete="username"
      autoCapitalize="none"
      autoCorrect="off"
      spellCheck={false}
      required
    />
  );
}
