import { Field } from '../../ui/Field.js';
import { LevelChoice } from '../../ui/ServiceLevel.js';
import type { StudyDetails } from './announcement.js';
import { TargetChoice } from './TargetChoice.js';

interface LevelAndHistoryProps {
  id: string;
  details: StudyDetails;
  error: string | undefined;
  onChange(more: Partial<StudyDetails>): void;
}

/** What only a person can say of a study. */
export function LevelAndHistory({ id, details, error, onChange }: LevelAndHistoryProps) {
  return (
    <div className="study-fields">
      <div className="stack">
        <LevelChoice
          name={`level-${id}`}
          value={details.serviceLevel}
          onChange={(serviceLevel) => onChange({ serviceLevel })}
        />
        <TargetChoice value={details.target} onChange={(target) => onChange({ target })} />
      </div>
      <Field
        label="Clinical history"
        hint="Goes into the PACS together with the study, as a document and as text. Optional."
        error={error}
      >
        {(control) => (
          <textarea
            {...control}
            className="input"
            rows={2}
            maxLength={10_000}
            value={details.clinicalHistory}
            onChange={(event) => onChange({ clinicalHistory: event.target.value })}
          />
        )}
      </Field>
    </div>
  );
}
