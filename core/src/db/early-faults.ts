import { FAULT_AFTER_EARLY_DELIVERY, type UploadProblem } from '../contract/uploads.js';
import type { Queryable } from './database.js';
import type { StudyRow } from './studies.js';

/** What is told of images of these studies that went early and should not have; undefined where there are none. */
export async function findFault(
  db: Queryable,
  studies: ReadonlyArray<Pick<StudyRow, 'id'>>,
): Promise<UploadProblem | undefined> {
  const rows: Array<{ problem: UploadProblem }> = await db('instances')
    .whereIn(
      'studyId',
      studies.map(({ id }) => id),
    )
    .whereRaw(`problem->>'code' = ?`, [FAULT_AFTER_EARLY_DELIVERY])
    .distinct('studyId', 'problem')
    .orderBy('studyId');
  const [first] = rows;
  if (!first) return undefined;
  return { ...first.problem, detail: [...new Set(rows.map(({ problem }) => problem.detail))].join(' ') };
}
