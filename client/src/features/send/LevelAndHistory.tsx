import { Field } from '../../ui/Field.js';
import { LevelChoice } from '../../ui/ServiceLevel.js';
import type { StudyDetails } from './announcement.js';

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
      <LevelChoice
        name={`level-${id}`}
        value={details.serviceLevel}
        onChange={(serviceLevel) => onChange({ serviceLevel })}
      />
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
