import type { UploadSummary } from '@relaypacs/core/contract/uploads.js';
import { useCallback, useEffect, useState } from 'react';
import { sentenceOf } from '../../api/problem-error.js';
import { useServices } from '../../app/services.js';
import { mayHoldStudies } from './earlier-studies.js';

const LATEST = 25;

interface EarlierUploads {
  /** Undefined while it is being loaded. */
  list: readonly UploadSummary[] | undefined;
  problem: string | undefined;
  load(): void;
}

/** The person's own latest uploads that may hold a study. */
export function useEarlierUploads(): EarlierUploads {
  const { uploads, session } = useServices();
  const [list, setList] = useState<readonly UploadSummary[]>();
  const [problem, setProblem] = useState<string>();
  const [round, setRound] = useState(0);
  const userId = session.user?.id;

  // biome-ignore lint/correctness/useExhaustiveDependencies: `round` asks for one more try
  useEffect(() => {
    const { signal, abort } = controller();
    setProblem(undefined);
    uploads.list({ limit: LATEST }, signal).then(
      ({ items }) => {
        // An administrator's list has everybody's.
        setList(items.filter((upload) => upload.userId === userId && mayHoldStudies(upload)));
      },
      (error) => {
        if (!signal.aborted) setProblem(sentenceOf(error));
      },
    );
    return abort;
  }, [uploads, userId, round]);

  return { list, problem, load: useCallback(() => setRound((before) => before + 1), []) };
}

function controller(): { signal: AbortSignal; abort: () => void } {
  const made = new AbortController();
  return { signal: made.signal, abort: () => made.abort() };
}
