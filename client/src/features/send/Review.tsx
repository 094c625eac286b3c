import { useEffect, useRef, useState } from 'react';
import { useServices } from '../../app/services.js';
import { newClientId } from '../../sending/new-client-id.js';
import type { StudyToSend } from '../../sending/transfer.js';
import { count, formatBytes } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import { Notice } from '../../ui/Notice.js';
import { useStore } from '../../ui/use-store.js';
import { announcementOf, type DetailField } from './announcement.js';
import { DropArea } from './DropArea.js';
import type { DraftStudy } from './draft.js';
import { LeftOut } from './LeftOut.js';
import { PhotoCard } from './PhotoCard.js';
import { PickButtons } from './PickButtons.js';
import { StudyCard } from './StudyCard.js';
import { studiesIn } from './study-words.js';

/** What was found among the picked files, before it is sent. */
export function Review() {
  const { draft, engine } = useServices();
  const { studies, damaged, others, problem } = useStore(draft);
  const [tried, setTried] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const section = useRef<HTMLElement>(null);
  const included = studies.filter((study) => study.included);
  const bytes = included.reduce((sum, study) => sum + study.totalBytes, 0);

  useEffect(() => heading.current?.focus(), []);

  const send = () => {
    const announced = included.map((study) => ({ study, ...announcement(study) }));
    const ready = announced.flatMap(({ study, request }): StudyToSend[] =>
      request ? [{ announcement: request, files: filesToSend(study), damaged: study.damaged.length }] : [],
    );
    if (ready.length < included.length) {
      setTried(true);
      requestAnimationFrame(() =>
        section.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus(),
      );
      return;
    }
    engine.send(ready);
    draft.clear();
  };

  const errorsOf = (study: DraftStudy): Partial<Record<DetailField, string>> =>
    (tried && study.included && announcement(study).errors) || {};

  return (
    <section className="stack" aria-labelledby="review-heading" ref={section}>
      <div className="row spread">
        <h2 id="review-heading" ref={heading} tabIndex={-1}>
          {studies.length > 0 ? `${count(numberOf(studies), 'study', 'studies')} found` : 'No study found'}
        </h2>
        <button type="button" className="button button-quiet" onClick={() => draft.clear()}>
          Discard
        </button>
      </div>
      {problem && (
        <Notice tone="bad" role="alert">
          {problem}
        </Notice>
      )}
      <LeftOut damaged={damaged} others={others} nothingElse={studies.length === 0} />
      <ul className="stack">
        {studies.map((study) => (
          <li key={study.key}>
            {study.kind === 'photos' ? (
              <PhotoCard study={study} errors={errorsOf(study)} />
            ) : (
              <StudyCard study={study} errors={errorsOf(study)} />
            )}
          </li>
        ))}
      </ul>
      <DropArea className="drop-more">
        <PickButtons primary={false} />
      </DropArea>
      <div className="send-bar">
        <button
          type="button"
          className="button button-primary button-big"
          disabled={included.length === 0}
          onClick={send}
        >
          <Icon name="send" />
          {included.length === 0
            ? 'Nothing to send'
            : `Send ${count(numberOf(included), 'study', 'studies')} (${formatBytes(bytes)})`}
        </button>
      </div>
    </section>
  );
}

const announcement = (study: DraftStudy) => announcementOf(study, study.details, study.earlier);

const numberOf = (studies: readonly DraftStudy[]) =>
  studies.reduce((sum, study) => sum + studiesIn(study), 0);

function filesToSend(study: DraftStudy) {
  return study.files.map(({ file, path }) => ({
    clientId: newClientId(),
    blob: file,
    name: file.name,
    relativePath: path,
  }));
}
