import type { TargetList } from '@relaypacs/core/contract/uploads.js';
import { useEffect, useState } from 'react';
import { useServices } from './services.js';

const NONE: TargetList = { items: [] };

/** What the server has said last: the choice is there at once, and without a network, too. */
const known = new Map<string, TargetList>();

/** The PACS the person may choose from; empty until the server has said so, or when it cannot be asked. */
export function useTargets(): TargetList {
  const { uploads, session } = useServices();
  const userId = session.user?.id ?? '';
  const [targets, setTargets] = useState(known.get(userId) ?? NONE);
  useEffect(() => {
    const ending = new AbortController();
    uploads.targets(ending.signal).then(
      (list) => {
        known.set(userId, list);
        setTargets(list);
      },
      // Without an answer nothing can be chosen, and the rules decide.
      () => undefined,
    );
    return () => ending.abort();
  }, [uploads, userId]);
  return targets;
}
