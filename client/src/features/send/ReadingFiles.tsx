import { useServices } from '../../app/services.js';
import { percent } from '../../ui/format.js';
import { Progress } from '../../ui/Progress.js';

/** While the headers of picked files are being read. */
export function ReadingFiles({ done, total }: { done: number; total: number }) {
  const { draft } = useServices();
  return (
    <section className="card stack" aria-label="Checking files">
      <h2>Checking files</h2>
      <Progress value={done} max={total} label="Files checked" />
      <div className="row spread">
        <span className="muted numbers">
          {done} of {total}
        </span>
        <button type="button" className="button" onClick={() => draft.clear()}>
          Cancel
        </button>
      </div>
      <span className="visually-hidden" role="status">
        {`${Math.floor(percent(done, total) / 25) * 25} percent of the files checked`}
      </span>
    </section>
  );
}
