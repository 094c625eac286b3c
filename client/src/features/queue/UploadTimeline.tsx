import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { formatMoment } from '../../ui/format.js';
import { timelineWords } from './status-sentences.js';

/** What happened to an upload, the latest first. */
export function UploadTimeline({ timeline }: Pick<UploadDetail, 'timeline'>) {
  if (timeline.length === 0) return null;
  const events = timeline.map(({ event }) => event);
  const entries = timeline.map((entry, index) => ({
    ...entry,
    words: timelineWords(entry, events.slice(0, index)),
  }));
  return (
    <section className="card stack" aria-labelledby="timeline-heading">
      <h2 id="timeline-heading">What happened</h2>
      <ol className="timeline">
        {entries.reverse().map(({ at, words }) => (
          <li key={`${at} ${words}`}>
            <span>{words}</span>
            <time className="muted small numbers" dateTime={at}>
              {formatMoment(at)}
            </time>
          </li>
        ))}
      </ol>
    </section>
  );
}
