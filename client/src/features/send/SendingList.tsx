import { useEffect, useRef } from 'react';
import { useServices } from '../../app/services.js';
import { useStore } from '../../ui/use-store.js';
import { DuplicateDialog } from './DuplicateDialog.js';
import { SendingCard } from './SendingCard.js';
import { spokenProgress } from './sending-words.js';
import { useDeliveries } from './use-deliveries.js';

/** The studies this device is sending or has just sent. */
export function SendingList() {
  const { engine } = useServices();
  const studies = useStore(engine);
  const deliveries = useDeliveries(studies);
  const heading = useRef<HTMLHeadingElement>(null);
  const number = useRef(studies.length);
  const duplicate = studies.find((study) => study.phase === 'duplicate');
  const underWay = studies.some((study) => !['sent', 'failed', 'cancelled'].includes(study.phase));

  useEffect(() => {
    // The button that was pressed is gone: go on where its effect shows.
    if (studies.length > number.current) heading.current?.focus();
    number.current = studies.length;
  }, [studies.length]);

  if (studies.length === 0) return null;
  return (
    <section className="stack" aria-labelledby="sending-heading">
      <h2 id="sending-heading" ref={heading} tabIndex={-1}>
        {underWay ? 'Sending' : 'Sent from this device'}
      </h2>
      <ul className="stack">
        {[...studies].reverse().map((study) => (
          <li key={study.id}>
            <SendingCard study={study} delivery={deliveries.get(study.uploadId ?? '')} />
          </li>
        ))}
      </ul>
      <span className="visually-hidden" role="status">
        {spokenProgress(studies, deliveries)}
      </span>
      {duplicate?.earlier && (
        <DuplicateDialog key={duplicate.id} study={duplicate} earlier={duplicate.earlier} />
      )}
    </section>
  );
}
