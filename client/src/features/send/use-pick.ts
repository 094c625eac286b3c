import { useCallback } from 'react';
import { useServices } from '../../app/services.js';
import type { PickedFile } from './picked-files.js';

/** Hands picked files to the draft, with the person's usual service level. */
export function usePick(): (files: readonly PickedFile[]) => void {
  const { draft, session } = useServices();
  return useCallback(
    (files) => void draft.add(files, session.user?.preferences?.defaultServiceLevel ?? 'routine'),
    [draft, session],
  );
}
