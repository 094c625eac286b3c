import { useEffect, useRef, useState } from 'react';
import { sentenceOf } from '../../api/problem-error.js';
import { useServices } from '../../app/services.js';
import { Notice } from '../../ui/Notice.js';
import { type EarlierStudy, earlierStudiesOf, studyWords, uploadWords } from './earlier-studies.js';
import { useEarlierUploads } from './use-earlier-uploads.js';

interface EarlierStudyListProps {
  onChoose(study: EarlierStudy): void;
  onClose(): void;
}

interface Choice {
  key: string;
  words: string;
  choose(): void;
}

/** The person's latest uploads; of one that holds several studies, those are asked for next. */
export function EarlierStudyList({ onChoose, onClose }: EarlierStudyListProps) {
  const { uploads } = useServices();
  const { list, problem, load } = useEarlierUploads();
  const [studies, setStudies] = useState<readonly EarlierStudy[]>();
  const [lookedUp, setLookedUp] = useState<string>();
  const [trouble, setTrouble] = useState<string>();
  const box = useRef<HTMLDivElement>(null);
  const stopping = useRef<AbortController>(undefined);

  // The button that was pressed is gone: go on in what has taken its place.
  useEffect(() => {
    if (list || studies) box.current?.focus();
  }, [list, studies]);
  useEffect(() => () => stopping.current?.abort(), []);

  const lookUp = async (id: string) => {
    stopping.current?.abort();
    stopping.current = new AbortController();
    const { signal } = stopping.current;
    setLookedUp(id);
    setTrouble(undefined);
    try {
      const found = earlierStudiesOf(await uploads.detail(id, signal));
      if (signal.aborted) return;
      const [only] = found;
      if (only && found.length === 1) onChoose(only);
      else if (only) setStudies(found);
      else setTrouble('No study of this upload is known yet. Try again when it has been checked.');
    } catch (error) {
      if (!signal.aborted) setTrouble(sentenceOf(error));
    }
    setLookedUp(undefined);
  };

  const choices: Choice[] | undefined = studies
    ? studies.map((study) => ({
        key: study.studyInstanceUid,
        words: studyWords(study),
        choose: () => onChoose(study),
      }))
    : list?.map((upload) => ({
        key: upload.id,
        words: uploadWords(upload),
        choose: () => void lookUp(upload.id),
      }));
  const title = studies ? 'Which of its studies?' : 'Which study do the photos belong to?';

  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset groups fields, and these are buttons
    <div className="earlier-list stack" role="group" aria-label={title} tabIndex={-1} ref={box}>
      <p className="field-label">{title}</p>
      {problem && (
        <Notice tone="bad" role="alert">
          <p>{problem}</p>
          <button type="button" className="button notice-button" onClick={load}>
            Try again
          </button>
        </Notice>
      )}
      {!choices && !problem && (
        <p className="muted" role="status">
          Loading what you sent before…
        </p>
      )}
      {choices?.length === 0 && <p>You have sent no study that photos could be added to.</p>}
      {choices && choices.length > 0 && (
        <ul>
          {choices.map(({ key, words, choose }) => (
            <li key={key}>
              <button type="button" className="earlier-choice" aria-busy={key === lookedUp} onClick={choose}>
                {words}
                {key === lookedUp && <span className="muted"> Looking it up…</span>}
              </button>
            </li>
          ))}
        </ul>
      )}
      {trouble && (
        <Notice tone="caution" role="alert">
          {trouble}
        </Notice>
      )}
      <button type="button" className="button earlier-open" onClick={onClose}>
        None of these
      </button>
    </div>
  );
}
