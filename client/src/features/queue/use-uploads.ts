import type { UploadStatus, UploadSummary } from '@relaypacs/core/contract/uploads.js';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useServices } from '../../app/services.js';
import { waitsForSender } from './status-sentences.js';
import { watchSettled } from './watch-settled.js';

const PAGE = 25;
const MOST = 100;
const SETTLE_MS = 700;

export interface UploadsView {
  items: readonly UploadSummary[] | undefined;
  /** Those that wait for their sender's answer, whatever the filter, however old. */
  waiting: readonly UploadSummary[];
  error: unknown;
  hasMore: boolean;
  loadingMore: boolean;
  loadMore(): void;
  reload(): void;
}

/** The list of uploads, newest first, kept up to date. */
export function useUploads(status: UploadStatus | undefined): UploadsView {
  const { uploads, live } = useServices();
  const [items, setItems] = useState<readonly UploadSummary[]>();
  const [waiting, setWaiting] = useState<readonly UploadSummary[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const [error, setError] = useState<unknown>();
  const [loadingMore, setLoadingMore] = useState(false);
  // Answers that belong to an older question are dropped.
  const question = useRef(0);
  const shown = useRef(0);
  shown.current = items?.length ?? 0;

  const reload = useCallback(async () => {
    question.current += 1;
    const asked = question.current;
    try {
      // What has been scrolled to stays: up to the most the API gives at once.
      const limit = Math.min(MOST, Math.max(PAGE, shown.current));
      const [list, processing] = await Promise.all([
        uploads.list({ status, limit }),
        uploads.list({ status: 'processing', limit: MOST }),
      ]);
      if (asked !== question.current) return;
      setItems(list.items);
      setWaiting(processing.items.filter(waitsForSender));
      setCursor(list.nextCursor);
      setError(undefined);
    } catch (failure) {
      if (asked === question.current) setError(failure);
    }
  }, [uploads, status]);

  const loadMore = useCallback(async () => {
    if (cursor === null) return;
    const asked = question.current;
    setLoadingMore(true);
    try {
      const list = await uploads.list({ status, limit: PAGE, cursor });
      if (asked !== question.current) return;
      setItems((before = []) => [...before, ...list.items]);
      setCursor(list.nextCursor);
    } catch (failure) {
      setError(failure);
    } finally {
      setLoadingMore(false);
    }
  }, [uploads, status, cursor]);

  useEffect(() => {
    setItems(undefined);
    shown.current = 0;
    void reload();
    return watchSettled(live, SETTLE_MS, undefined, () => void reload());
  }, [reload, live]);

  return {
    items,
    waiting,
    error,
    hasMore: cursor !== null,
    loadingMore,
    loadMore: () => void loadMore(),
    reload: () => void reload(),
  };
}
