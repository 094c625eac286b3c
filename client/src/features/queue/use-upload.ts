import type { UploadDetail } from '@relaypacs/core/contract/uploads.js';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useServices } from '../../app/services.js';
import { watchSettled } from './watch-settled.js';

/** A detail names every file: not to be fetched for each of a thousand that arrive. */
const SETTLE_MS = 1_500;

export interface UploadView {
  upload: UploadDetail | undefined;
  error: unknown;
  reload(): Promise<void>;
}

/** One upload with everything about it, kept up to date. */
export function useUpload(id: string): UploadView {
  const { uploads, live } = useServices();
  const [upload, setUpload] = useState<UploadDetail>();
  const [error, setError] = useState<unknown>();
  const question = useRef(0);

  const reload = useCallback(async () => {
    question.current += 1;
    const asked = question.current;
    try {
      const detail = await uploads.detail(id);
      if (asked !== question.current) return;
      setUpload(detail);
      setError(undefined);
    } catch (failure) {
      if (asked === question.current) setError(failure);
    }
  }, [uploads, id]);

  useEffect(() => {
    setUpload(undefined);
    void reload();
    return watchSettled(live, SETTLE_MS, id, () => void reload());
  }, [reload, live, id]);

  return { upload, error, reload };
}
