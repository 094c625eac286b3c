import { useEffect, useRef, useState } from 'react';
import { formatDate } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import { EarlierStudyList } from './EarlierStudyList.js';
import { type EarlierStudy, studyWords } from './earlier-studies.js';

interface EarlierStudyChoiceProps {
  earlier: EarlierStudy | undefined;
  onChoose(earlier: EarlierStudy | undefined): void;
}

/** Whether photos are added to a study that was sent before, and to which one. */
export function EarlierStudyChoice({ earlier, onChoose }: EarlierStudyChoiceProps) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  // What had the focus is gone after a choice; it goes on at the button that can undo it.
  const moved = useRef(false);
  const shown = earlier ? 'chosen' : open ? 'list' : 'closed';

  useEffect(() => {
    if (moved.current && shown !== 'list') button.current?.focus();
    moved.current = shown !== 'closed';
  }, [shown]);

  if (earlier) {
    return (
      <div className="earlier">
        <div className="earlier-words">
          <p className="field-label">Added to a study sent before</p>
          <p>{studyWords(earlier)}</p>
          <p className="muted small">{identityWords(earlier)}</p>
        </div>
        <button
          ref={button}
          type="button"
          className="button"
          onClick={() => {
            setOpen(false);
            onChoose(undefined);
          }}
        >
          Change<span className="visually-hidden">: do not add to this study</span>
        </button>
      </div>
    );
  }
  if (open) return <EarlierStudyList onChoose={onChoose} onClose={() => setOpen(false)} />;
  return (
    <button ref={button} type="button" className="button earlier-open" onClick={() => setOpen(true)}>
      <Icon name="link" /> Add to a study sent before
    </button>
  );
}

const SEXES: Record<string, string> = { F: 'female', M: 'male', O: 'sex: other' };

function identityWords({ patientId, patientBirthDate, patientSex }: EarlierStudy): string {
  return [
    patientId ? `ID ${patientId}` : '',
    patientBirthDate ? `born ${formatDate(patientBirthDate)}` : '',
    SEXES[patientSex ?? ''] ?? '',
  ]
    .filter(Boolean)
    .join(' · ');
}
