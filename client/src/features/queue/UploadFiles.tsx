import type { UploadFile } from '@relaypacs/core/contract/uploads.js';
import { useState } from 'react';
import { count, formatBytes } from '../../ui/format.js';
import { Icon } from '../../ui/Icon.js';
import { Notice } from '../../ui/Notice.js';

const STEP = 50;

const FILE_STATUS: Record<UploadFile['status'], string> = {
  uploading: 'Arriving',
  received: 'Received',
  accepted: 'Accepted',
  rejected: 'Not accepted',
};

/** Copies of an image that is there already are whole: to send them again would lead to the same. */
function isDamaged({ problem }: UploadFile): boolean {
  return !['CONFLICTING_COPY', 'DUPLICATE'].includes(problem?.code ?? '');
}

/** What is wrong with single files first; all of them on demand. */
export function UploadFiles({ files }: { files: readonly UploadFile[] }) {
  const rejected = files.filter((file) => file.status === 'rejected' || file.problem);
  const remarked = files.filter((file) => file.findings.length > 0 && !rejected.includes(file));
  return (
    <>
      {rejected.length > 0 && (
        <section className="card stack" aria-labelledby="rejected-heading">
          <h2 id="rejected-heading">{count(rejected.length, 'file')} not accepted</h2>
          <p>
            {rejected.length === 1 ? 'This file does' : 'These files do'} not go to the PACS.
            {rejected.some(isDamaged) && ' Export what is damaged again and send it as a new upload.'}
          </p>
          <LongList
            items={rejected}
            draw={(file) => (
              <li key={file.id}>
                <Notice tone="bad">
                  <span className="file-path">{file.relativePath ?? file.filename}</span>
                  <br />
                  {file.problem?.detail ?? 'The file was not accepted.'}
                </Notice>
              </li>
            )}
          />
        </section>
      )}
      {remarked.length > 0 && (
        <details className="disclosure">
          <summary>
            <Icon name="chevron" size={18} /> Remarks on {count(remarked.length, 'file')}
          </summary>
          <div className="card stack">
            <p className="muted">These files were accepted. The remarks are for whoever exports them.</p>
            <LongList
              items={remarked}
              draw={(file) => (
                <li key={file.id}>
                  <span className="file-path">{file.relativePath ?? file.filename}</span>
                  <ul className="muted small">
                    {file.findings.map((finding) => (
                      <li key={`${finding.code} ${finding.message}`}>{finding.message}</li>
                    ))}
                  </ul>
                </li>
              )}
            />
          </div>
        </details>
      )}
      {files.length > 0 && (
        <details className="disclosure">
          <summary>
            <Icon name="chevron" size={18} /> All files ({files.length})
          </summary>
          <div className="card stack">
            <LongList
              items={files}
              draw={(file) => (
                <li key={file.id} className="file-line">
                  <span className="file-path">{file.relativePath ?? file.filename}</span>
                  <span className="muted small">
                    {FILE_STATUS[file.status]}
                    {file.size === null ? '' : `, ${formatBytes(file.size)}`}
                  </span>
                </li>
              )}
            />
          </div>
        </details>
      )}
    </>
  );
}

interface LongListProps<T> {
  items: readonly T[];
  draw(item: T): React.ReactNode;
}

/** Two thousand lines at once are of no use to anybody. */
function LongList<T>({ items, draw }: LongListProps<T>) {
  const [shown, setShown] = useState(STEP);
  return (
    <>
      <ul className="file-list">{items.slice(0, shown).map(draw)}</ul>
      {items.length > shown && (
        <div>
          <button type="button" className="button" onClick={() => setShown(shown + STEP)}>
            Show {Math.min(STEP, items.length - shown)} more of {items.length - shown}
          </button>
        </div>
      )}
    </>
  );
}
