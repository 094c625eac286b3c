import { Field } from '../../ui/Field.js';
import { localDate } from './photo-details.js';

interface InputProps {
  label: string;
  hint?: string;
  error: string | undefined;
  required?: boolean;
  value: string;
  onChange(value: string): void;
}

interface TextFieldProps extends InputProps {
  maxLength: number;
  /** For codes: written in capitals, and no words. */
  capitals?: boolean;
}

/** One line of text about a patient: nothing the browser should remember or offer. */
export function TextField({ maxLength, required, value, onChange, capitals, ...field }: TextFieldProps) {
  return (
    <Field {...field}>
      {(control) => (
        <input
          {...control}
          className="input"
          autoComplete="off"
          autoCapitalize={capitals ? 'characters' : undefined}
          spellCheck={false}
          maxLength={maxLength}
          required={required}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

/** A day, today at the latest. */
export function DateField({ required, value, onChange, ...field }: InputProps) {
  return (
    <Field {...field}>
      {(control) => (
        <input
          {...control}
          className="input"
          type="date"
          max={localDate(new Date())}
          required={required}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

interface ChoiceFieldProps extends InputProps {
  /** Values with what people read for them. */
  choices: ReadonlyArray<readonly [value: string, words: string]>;
}

export function ChoiceField({ choices, required, value, onChange, ...field }: ChoiceFieldProps) {
  return (
    <Field {...field}>
      {(control) => (
        <select
          {...control}
          className="input"
          required={required}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        >
          {choices.map(([choice, words]) => (
            <option key={choice} value={choice}>
              {words}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
