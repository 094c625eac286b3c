import type { Config } from '@relaypacs/core/config.js';
import { findTarget } from '@relaypacs/core/config-targets.js';
import type { Warning } from '@relaypacs/core/contract/uploads.js';
import { SYSTEM_ACTOR } from '@relaypacs/core/db/audit-events.js';
import type { Queryable } from '@relaypacs/core/db/database.js';
import {
  countSuperseded,
  SUPERSEDED_IN_PACS,
  type SupersededCounts,
  type SupersededInstance,
} from '@relaypacs/core/db/superseded.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';

/** In one entry of the audit trail. */
const UIDS_PER_EVENT = 100;

/** Names in the audit trail what a PACS has or may have of a study and is no longer part of it. */
export function auditSuperseded(unit: UnitOfWork, superseded: readonly SupersededInstance[]): void {
  for (const studyId of new Set(superseded.map((each) => each.studyId))) {
    const instances = superseded.filter((each) => each.studyId === studyId);
    for (let from = 0; from < instances.length; from += UIDS_PER_EVENT) {
      const some = instances.slice(from, from + UIDS_PER_EVENT);
      unit.audit({
        actor: SYSTEM_ACTOR,
        action: 'study.superseded',
        objectType: 'study',
        objectId: studyId,
        detail: {
          target: some[0]?.target ?? null,
          instances: some.length,
          sopInstanceUids: some.map(({ sopInstanceUid }) => sopInstanceUid).join(' '),
        },
      });
    }
  }
}

/** What each PACS has or may have that was made before a correction: nobody but the people there can remove it. */
export async function supersededWarnings(
  db: Queryable,
  pacs: Pick<Config['pacs'], 'all'>,
  uploadId: string,
): Promise<Warning[]> {
  return (await countSuperseded(db, uploadId)).map((counts) => ({
    code: SUPERSEDED_IN_PACS,
    message: sentence(counts, findTarget(pacs, counts.target)?.name ?? counts.target),
  }));
}

function sentence({ images, documents, verified }: SupersededCounts, pacs: string): string {
  const parts = [some(images, 'image'), some(documents, 'document')].filter((part) => part !== '');
  const total = images + documents;
  const isSure = verified === total;
  const where = isSure
    ? `${total === 1 ? 'is' : 'are'} in ${pacs}`
    : `${total === 1 ? 'is' : 'are'} or may be in ${pacs}${verified > 0 ? ` (${verified} for certain)` : ''}`;
  return `${parts.join(' and ')} with the details from before the correction ${where}, and ${total === 1 ? 'has' : 'have'} to be removed there: tell the people who run it. The list of instances of this upload names ${total === 1 ? 'it' : 'them'}.`;
}

const some = (count: number, what: string) =>
  count === 0 ? '' : `${count} ${what}${count === 1 ? '' : 's'}`;
