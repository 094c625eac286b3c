import type { PacsStatus, SystemStatus } from '@relaypacs/core/contract/admin.js';
import { Link } from 'react-router';
import { NotFound } from '../../app/NotFound.js';
import { useServices } from '../../app/services.js';
import { count, formatMoment } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import { Notice, toneIcon } from '../../ui/Notice.js';
import { PageHeading } from '../../ui/PageHeading.js';
import { LevelSign } from '../../ui/ServiceLevel.js';
import { SkeletonCards } from '../../ui/Skeleton.js';
import { LoadProblem } from '../queue/LoadProblem.js';
import { statusLabel } from '../queue/status-sentences.js';
import { loadWords, pacsWords, queueWords } from './system-words.js';
import { useSystemStatus } from './use-system-status.js';
import './system.css';

/** For administrators: what takes studies, what waits, and what failed lately. */
export function SystemPage() {
  const { session } = useServices();
  return session.user?.role === 'Admin' ? <System /> : <NotFound />;
}

function System() {
  const { status, error, reload } = useSystemStatus();
  return (
    <div className="stack-large">
      <PageHeading title="System" />
      {error !== undefined && <LoadProblem error={error} onRetry={reload} />}
      {status ? <Loaded status={status} /> : error === undefined && <SkeletonCards />}
    </div>
  );
}

function Loaded({ status: { pacs, unknownTargets, queues, failedUploads } }: { status: SystemStatus }) {
  return (
    <>
      {pacs.length === 0 && (
        <Notice tone="caution">
          No PACS is configured, so nothing can be delivered: studies are safe here and wait. Set PACS_URL.
        </Notice>
      )}
      {unknownTargets.map(({ key, waiting }) => (
        <Notice key={key} tone="caution">
          {`${count(waiting, 'study', 'studies')} ${waiting === 1 ? 'waits' : 'wait'} for the PACS “${key}”, which is not configured any more. Configure it again, or send ${waiting === 1 ? 'it' : 'them'} to another one.`}
        </Notice>
      ))}
      {pacs.map((each) => (
        <Pacs key={each.key} pacs={each} />
      ))}
      <p className="muted">{queueWords(queues)}</p>
      <FailedUploads uploads={failedUploads} />
    </>
  );
}

function Pacs({ pacs }: { pacs: PacsStatus }) {
  const words = pacsWords(pacs);
  return (
    <section className="card stack" aria-label={pacs.name}>
      <div className="system-head">
        <h2>{pacs.name}</h2>
        {pacs.isDefault && <span className="muted small">the default</span>}
      </div>
      <p className={`system-state tone-${words.tone}`}>
        <Icon name={toneIcon(words.tone)} size={22} /> <strong>{words.label}</strong>
      </p>
      <p>{words.sentence}</p>
      {pacs.reason && <Notice tone="bad">{pacs.reason}</Notice>}
      <p>{loadWords(pacs)}</p>
      {pacs.latencyMs !== null && <p className="muted small">Answers in {pacs.latencyMs} ms</p>}
    </section>
  );
}

function FailedUploads({ uploads }: { uploads: SystemStatus['failedUploads'] }) {
  return (
    <section className="card stack" aria-labelledby="failed-heading">
      <h2 id="failed-heading">Failed lately</h2>
      {uploads.length === 0 ? (
        <p className="muted">No upload has failed or was rejected.</p>
      ) : (
        <ul className="system-failed">
          {uploads.map(({ id, status, serviceLevel, endedAt, problem }) => (
            <li key={id}>
              <Link to={`/uploads/${id}`}>{problem?.title ?? statusLabel(status)}</Link>
              <p className="muted small row">
                <span>
                  {statusLabel(status)}
                  {endedAt && ` · ${formatMoment(endedAt)}`}
                </span>
                <LevelSign level={serviceLevel} />
              </p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
