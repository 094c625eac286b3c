import type { UploadStatus } from '@relaypacs/core/contract/uploads.js';
import { Link, useSearchParams } from 'react-router';
import { useServices } from '../../app/services.js';
import { Field } from '../../ui/Field.js';
import { count } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import { toneIcon } from '../../ui/Notice.js';
import { PageHeading } from '../../ui/PageHeading.js';
import { SkeletonCards } from '../../ui/Skeleton.js';
import { LoadProblem } from './LoadProblem.js';
import { statusLabel } from './status-sentences.js';
import { UploadRow } from './UploadRow.js';
import { useUploads } from './use-uploads.js';
import './queue.css';

const FILTERS: readonly UploadStatus[] = [
  'uploading',
  'received',
  'processing',
  'delivering',
  'delivered',
  'failed',
  'rejected',
  'expired',
  'cancelled',
  'created',
];

/** Every upload of this account and what has become of it. */
export function UploadsPage() {
  const [query, setQuery] = useSearchParams();
  const status = FILTERS.find((filter) => filter === query.get('status'));
  const { items, waiting, error, hasMore, loadingMore, loadMore, reload } = useUploads(status);
  const { session } = useServices();
  const asking = waiting.filter(({ userId }) => userId === session.user?.id);
  // Each stands on the page once.
  const others = items?.filter(({ id }) => !asking.some((each) => each.id === id)) ?? [];
  return (
    <div className="stack-large">
      <div className="list-head">
        <PageHeading title="Uploads" />
        <Field label="Show">
          {(control) => (
            <select
              {...control}
              className="input"
              value={status ?? ''}
              onChange={(event) => setQuery(event.target.value ? { status: event.target.value } : {})}
            >
              <option value="">All uploads</option>
              {FILTERS.map((filter) => (
                <option key={filter} value={filter}>
                  {statusLabel(filter)}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <span className="visually-hidden" role="status">
        {asking.length > 0 && `${askingWords(asking.length)}.`}
      </span>
      {error !== undefined && <LoadProblem error={error} onRetry={reload} />}
      {asking.length > 0 && (
        <section className="stack" aria-labelledby="asking-heading">
          <h2 id="asking-heading" className="asking-heading tone-caution">
            <Icon name={toneIcon('caution')} size={22} /> {askingWords(asking.length)}
          </h2>
          <ul className="card upload-list" aria-labelledby="asking-heading">
            {asking.map((upload) => (
              <UploadRow key={upload.id} upload={upload} />
            ))}
          </ul>
        </section>
      )}
      {items === undefined ? (
        error === undefined && <SkeletonCards cards={4} />
      ) : items.length === 0 ? (
        <Empty filtered={status !== undefined} />
      ) : (
        others.length > 0 && (
          <ul className="card upload-list" aria-label="Uploads, newest first">
            {others.map((upload) => (
              <UploadRow key={upload.id} upload={upload} />
            ))}
          </ul>
        )
      )}
      {hasMore && (
        <div className="row list-more">
          <button type="button" className="button" disabled={loadingMore} onClick={loadMore}>
            {loadingMore ? 'Loading…' : 'Show older uploads'}
          </button>
        </div>
      )}
    </div>
  );
}

function askingWords(uploads: number): string {
  return `${count(uploads, 'upload')} ${uploads === 1 ? 'waits' : 'wait'} for your answer`;
}

function Empty({ filtered }: { filtered: boolean }) {
  return (
    <div className="card empty">
      <h2>{filtered ? 'No such uploads' : 'Nothing has been sent yet'}</h2>
      <p className="muted">
        {filtered
          ? 'There is no upload with this status at the moment.'
          : 'What you send appears here, with its way into the PACS.'}
      </p>
      {filtered ? (
        <Link className="button" to="/uploads">
          Show all uploads
        </Link>
      ) : (
        <Link className="button button-primary" to="/">
          Send a study
        </Link>
      )}
    </div>
  );
}
