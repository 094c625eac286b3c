import type { ReactNode } from 'react';
import { useServices } from '../../app/services.js';
import type { DraftStudy } from './draft.js';

interface StudyHeadProps {
  study: DraftStudy;
  id: string;
  /** Whose study it is. */
  name: string;
  children: ReactNode;
}

/** Whether a study is to be sent, and what it is. */
export function StudyHead({ study, id, name, children }: StudyHeadProps) {
  const { draft } = useServices();
  return (
    <div className="study-head">
      <input
        type="checkbox"
        id={id}
        className="study-check"
        aria-label={`Send ${name}`}
        checked={study.included}
        disabled={study.refused}
        onChange={(event) => draft.include(study.key, event.target.checked)}
      />
      <div className="study-words">
        <h3 className="study-name">
          <label htmlFor={id}>{name}</label>
        </h3>
        {children}
      </div>
    </div>
  );
}
