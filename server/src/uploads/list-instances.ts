import type { InstanceList, UploadInstance } from '@relaypacs/core/contract/uploads.js';
import { InstanceListQuerySchema } from '@relaypacs/core/contract/uploads.js';
import type { Queryable } from '@relaypacs/core/db/database.js';
import { isId } from '@relaypacs/core/db/ids.js';
import { type InstanceRow, listUploadInstances } from '@relaypacs/core/db/instances.js';
import type { UploadRow } from '@relaypacs/core/db/uploads.js';
import type { Request } from 'express';
import { invalidFields } from '../http/http-problem.js';
import { readQuery } from '../http/validate.js';

/**
 * A page of the instances of an upload, as the request asks for it.
 *
 * @throws HttpProblem VALIDATION_FAILED
 */
export async function listInstances(db: Queryable, { id }: UploadRow, req: Request): Promise<InstanceList> {
  const { limit, cursor, status } = readQuery(InstanceListQuerySchema, req);
  if (cursor !== undefined && !isId(cursor)) {
    throw invalidFields([{ path: 'cursor', message: 'Use the nextCursor of the page before' }]);
  }
  const rows = await listUploadInstances(db, id, status, limit + 1, cursor);
  const page = rows.slice(0, limit);
  return { items: page.map(present), nextCursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
}

function present(row: InstanceRow): UploadInstance {
  return {
    id: row.id,
    studyId: row.studyId,
    sopInstanceUid: row.sopInstanceUid,
    seriesInstanceUid: row.seriesInstanceUid,
    modality: row.modality,
    seriesNumber: row.seriesNumber,
    instanceNumber: row.instanceNumber,
    size: row.size,
    sha256: row.sha256.toString('hex'),
    status: row.status,
    verification: row.verification,
    verifiedAt: row.verifiedAt?.toISOString() ?? null,
    alreadyThere: row.alreadyThere,
    problem: row.problem,
    supersededAt: row.supersededAt?.toISOString() ?? null,
  };
}
