import type { UploadSummary } from '@relaypacs/core/contract/uploads.js';
import { useEffect, useState } from 'react';
import { useServices } from '../../app/services.js';
import type { SendingStudy } from '../../sending/transfer.js';

const MOST_SHOWN = 100;
const OVER = ['delivered', 'rejected', 'failed', 'expired', 'cancelled'];

/** What has become of the studies this device has sent, by upload id, kept up to date. */
export function useDeliveries(studies: readonly SendingStudy[]): ReadonlyMap<string, UploadSummary> {
  const { uploads, live } = useServices();
  const [deliveries, setDeliveries] = useState<ReadonlyMap<string, UploadSummary>>(new Map());
  const sent = studies.flatMap(({ phase, uploadId }) => (phase === 'sent' && uploadId ? [uploadId] : []));
  const open = sent.filter((id) => !OVER.includes(deliveries.get(id)?.status ?? '')).join(' ');

  useEffect(() => {
    if (open === '') return;
    const ids = new Set(open.split(' '));
    const ending = new AbortController();
    let loading: Promise<void> | undefined;
    let again = false;
    const load = async () => {
      const { items } = await uploads.list({ limit: MOST_SHOWN }, ending.signal);
      setDeliveries((before) => {
        const after = new Map(before);
        for (const item of items) if (ids.has(item.id)) after.set(item.id, item);
        return after;
      });
    };
    const look = () => {
      again = loading !== undefined;
      // Without an answer the next event or poll asks again.
      loading ??= load()
        .catch(() => undefined)
        .finally(() => {
          loading = undefined;
          if (again && !ending.signal.aborted) look();
        });
    };
    look();
    const unwatch = live.watch(({ uploadId }) => {
      if (uploadId === undefined || ids.has(uploadId)) look();
    });
    return () => {
      ending.abort();
      unwatch();
    };
  }, [open, uploads, live]);

  return deliveries;
}
