import type { Queryable } from '@relaypacs/core/db/database.js';
import {
  type FileWithUpload,
  findFileIdByClientId,
  findFileWithUpload,
  findImplicitFileIdByClientId,
} from '@relaypacs/core/db/upload-files.js';
import { HttpProblem } from '../http/http-problem.js';
import { readFileMetadata } from './metadata.js';
import type { TusRequest } from './tus-request.js';

type Creation = Pick<TusRequest, 'implicit' | 'upload' | 'actor' | 'tusMetadata' | 'isPartial'>;

/**
 * The file an earlier try of a creation has made, by the id the client chose for it; the answer to that one got lost.
 *
 * @param size - bytes; undefined while the client has not said
 * @throws HttpProblem CLIENT_ID_TAKEN when that was not the same creation: two files must never become one
 */
export async function findEarlierCreation(
  db: Queryable,
  request: Creation,
  clientId: string,
  size: number | undefined,
): Promise<FileWithUpload | undefined> {
  const id = request.implicit
    ? await findImplicitFileIdByClientId(db, request.actor.userId, clientId)
    : await findFileIdByClientId(db, request.upload.id, clientId);
  const found = id === undefined ? undefined : await findFileWithUpload(db, id);
  if (found && !isSame(request, found, size)) throw clientIdTaken();
  return found;
}

export function clientIdTaken(): HttpProblem {
  return new HttpProblem(
    'CLIENT_ID_TAKEN',
    'This clientId belongs to another file, which stays as it is, and slices stay where they are. Choose a new clientId and send it again.',
  );
}

function isSame(request: Creation, { file }: FileWithUpload, size: number | undefined): boolean {
  if (file.isPartial !== request.isPartial || (size !== undefined && file.size !== size)) return false;
  // Without an announcement the metadata say whose study it is.
  if (request.implicit) return file.tusMetadata === request.tusMetadata;
  const nameIn = (header: string | null) => readFileMetadata(header ?? undefined).filename;
  return nameIn(file.tusMetadata) === nameIn(request.tusMetadata);
}
