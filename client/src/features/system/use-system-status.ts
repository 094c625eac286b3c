import type { SystemStatus } from '@relaypacs/core/contract/admin.js';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useServices } from '../../app/services.js';

/** A PACS that comes or goes is no event of an upload: the page asks by itself. */
const ASK_EVERY_MS = 10_000;

export interface SystemView {
  status: SystemStatus | undefined;
  error: unknown;
  reload(): void;
}

/** The state of the system, asked for again as long as the page is looked at. */
export function useSystemStatus(): SystemView {
  const { administration } = useServices();
  const [status, setStatus] = useState<SystemStatus>();
  const [error, setError] = useState<unknown>();
  const asking = useRef<AbortController>(undefined);

  const reload = useCallback(() => {
    asking.current?.abort();
    const question = new AbortController();
    asking.current = question;
    administration.system(question.signal).then(
      (answer) => {
        if (question.signal.aborted) return;
        setStatus(answer);
        setError(undefined);
      },
      (failure: unknown) => {
        if (!question.signal.aborted) setError(failure);
      },
    );
  }, [administration]);

  useEffect(() => {
    const look = () => {
      if (document.visibilityState === 'visible') reload();
    };
    reload();
    const timer = setInterval(look, ASK_EVERY_MS);
    document.addEventListener('visibilitychange', look);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', look);
      asking.current?.abort();
    };
  }, [reload]);

  return { status, error, reload };
}
