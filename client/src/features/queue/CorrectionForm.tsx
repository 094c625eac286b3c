import type { CorrectUploadRequest } from '@relaypacs/core/contract/corrections.js';
import type { CorrectableField, UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { type FormEvent, useRef, useState } from 'react';
import { ProblemError, sentenceOf } from '../../api/problem-error.js';
import { useServices } from '../../app/services.js';
import { Icon } from '../../ui/Icon.js';
import { Notice } from '../../ui/Notice.js';
import { ChoiceField, DateField, TextField } from '../send/fields.js';
import { waitsForSender } from './status-sentences.js';

interface CorrectionFormProps {
  upload: UploadDetail;
  /** What is asked for. */
  fields: readonly CorrectableField[];
  /** It was saved, and is on its way again. */
  onSaved(): Promise<void>;
}

const NAMES: Record<CorrectableField, string> = {
  patientName: 'Patient name',
  patientId: 'Patient ID',
  patientBirthDate: 'Date of birth',
  patientSex: 'Sex',
  studyDate: 'Study date',
  studyDescription: 'Description',
  modality: 'Modality',
};

/** What an upload can be without. */
const OPTIONAL: readonly CorrectableField[] = [
  'patientId',
  'patientBirthDate',
  'patientSex',
  'studyDescription',
];

const SEXES = [
  ['', 'Not said'],
  ['F', 'Female'],
  ['M', 'Male'],
  ['O', 'Other'],
] as const;

/** Asks for what was entered wrongly, or not at all, and has the upload tried again with it. */
export function CorrectionForm({ upload, fields, onSaved }: CorrectionFormProps) {
  const { uploads } = useServices();
  const [values, setValues] = useState<Partial<Record<CorrectableField, string>>>({});
  const [errors, setErrors] = useState<Partial<Record<string, string>>>({});
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const isAsked = waitsForSender(upload);
  const entered = (field: CorrectableField) => values[field] ?? upload[field] ?? '';
  // One field is asked for because it is missing; of several it may be any that is wrong.
  const isNeeded = (field: CorrectableField) => fields.length === 1 || !OPTIONAL.includes(field);

  const refuse = (found: Partial<Record<string, string>>) => {
    setErrors(found);
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
  };

  const save = async () => {
    const given = fields.map((field) => [field, entered(field).trim()] as const);
    const missing = given.filter(([field, value]) => value === '' && isNeeded(field));
    if (missing.length > 0) {
      return refuse(
        Object.fromEntries(missing.map(([field]) => [field, `Enter the ${lower(NAMES[field])}.`])),
      );
    }
    setErrors({});
    setProblem(undefined);
    setBusy(true);
    try {
      await uploads.correct(upload.id, requestOf(given));
      await uploads.retry(upload.id);
      await onSaved();
    } catch (error) {
      const wrong = error instanceof ProblemError ? error.fields : [];
      if (wrong.length > 0)
        refuse(Object.fromEntries(wrong.map(({ path, message }) => [path, `${message}.`])));
      else setProblem(sentenceOf(error));
    }
    setBusy(false);
  };

  return (
    <form
      ref={form}
      className="stack correction"
      noValidate
      aria-label="Correct what was entered"
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        void save();
      }}
    >
      {isAsked && <p>If the files are right, correct what was entered:</p>}
      <div className="correction-fields">
        {fields.map((field) => (
          <CorrectionField
            key={field}
            field={field}
            required={isNeeded(field)}
            error={errors[field]}
            value={entered(field)}
            onChange={(value) => setValues({ ...values, [field]: value })}
          />
        ))}
      </div>
      {problem && (
        <Notice tone="bad" role="alert">
          {problem}
        </Notice>
      )}
      <div className="row">
        <button type="submit" className={`button ${isAsked ? '' : 'button-primary'}`} disabled={busy}>
          <Icon name="send" /> {busy ? 'Saving…' : isAsked ? 'Save and check again' : 'Save and send again'}
        </button>
      </div>
    </form>
  );
}

interface CorrectionFieldProps {
  field: CorrectableField;
  required: boolean;
  error: string | undefined;
  value: string;
  onChange(value: string): void;
}

function CorrectionField({ field, ...control }: CorrectionFieldProps) {
  const label = NAMES[field];
  if (field === 'patientSex') return <ChoiceField {...control} label={label} choices={SEXES} />;
  if (field === 'patientBirthDate' || field === 'studyDate') return <DateField {...control} label={label} />;
  if (field === 'modality') {
    return <TextField {...control} label={label} hint="CT, MR, US, DX …" maxLength={16} capitals />;
  }
  const isId = field === 'patientId';
  return (
    <TextField
      {...control}
      label={label}
      {...(isId ? { hint: 'As in your hospital.' } : {})}
      maxLength={isId ? 64 : 256}
    />
  );
}

function requestOf(given: ReadonlyArray<readonly [CorrectableField, string]>): CorrectUploadRequest {
  const entries = given.map(([field, value]) => [
    field,
    value === '' && OPTIONAL.includes(field) ? null : value,
  ]);
  return Object.fromEntries(entries) as CorrectUploadRequest;
}

/** `Patient ID` in a sentence. */
const lower = (name: string) => name.charAt(0).toLowerCase() + name.slice(1);
