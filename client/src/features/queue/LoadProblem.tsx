import { sentenceOf } from '../../api/problem-error.js';
import { Notice } from '../../ui/Notice.js';

/** What is wanted could not be loaded. */
export function LoadProblem({ error, onRetry }: { error: unknown; onRetry(): void }) {
  return (
    <div className="stack">
      <Notice tone="caution" role="alert">
        {sentenceOf(error)}
      </Notice>
      <div>
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      </div>
    </div>
  );
}
