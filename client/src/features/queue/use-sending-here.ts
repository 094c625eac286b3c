import { useSyncExternalStore } from 'react';
import { useServices } from '../../app/services.js';
import { isUnderWay } from '../../sending/transfer.js';

/** Whether this page is sending the upload. Rendered again only when that changes, not with every progress. */
export function useSendingHere(uploadId: string): boolean {
  const { engine } = useServices();
  return useSyncExternalStore(engine.subscribe, () =>
    engine.value.some((study) => study.uploadId === uploadId && isUnderWay(study.phase)),
  );
}
