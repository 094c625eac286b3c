import { type Orthanc, startOrthanc } from '../../e2e/support/orthanc.js';

/**
 * A new, empty Orthanc. DCMTK, which it takes DICOM associations with, leaves Nagle's algorithm on unless TCP_NODELAY
 * says otherwise, which makes it many times slower than it is.
 */
export function startFreshOrthanc(port?: number, settings: Record<string, unknown> = {}): Promise<Orthanc> {
  return startOrthanc({ ...(port === undefined ? {} : { port }), env: { TCP_NODELAY: '1' }, settings });
}

export async function assertHolds(orthanc: Orthanc, instances: number): Promise<void> {
  const answer = await orthanc.rest('/statistics');
  const { CountInstances } = (await answer.json()) as { CountInstances: number };
  if (CountInstances !== instances) {
    throw new Error(`The PACS holds ${CountInstances} instances instead of ${instances}`);
  }
}
