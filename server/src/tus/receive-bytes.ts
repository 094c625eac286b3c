import { HttpProblem } from '../http/http-problem.js';
import type { BodyReader } from './body-reader.js';
import type { Checksum } from './checksum.js';
import type { OpenFile } from './open-file.js';

/**
 * Without a checksum, bytes are recorded this often while a long request runs: a killed server loses no more. On S3
 * every record ends an object, so a slow phone must not make one every moment.
 */
const RECORD_BYTES = 16 * 1024 * 1024;
const RECORD_MS = 10_000;

/**
 * Writes a request's body to its file, from the reached offset on. What arrives counts, however the request ends; only
 * a body that is whole and not what its checksum says is dropped.
 *
 * @param most - bytes the file may still take
 * @throws HttpProblem CHECKSUM_MISMATCH (the offset stays where it was), UPLOAD_TOO_LARGE (what was recorded on the way
 *   stays), FILE_LOCKED
 * @throws StorageUnavailable
 */
export async function receiveBytes(
  body: BodyReader,
  file: OpenFile,
  most: number,
  checksum: Checksum | undefined,
): Promise<void> {
  let arrived = 0;
  let recordedAt = performance.now();
  for (let batch = await body.next(); batch; batch = await body.next()) {
    for (const chunk of batch) arrived += chunk.length;
    if (arrived > most) {
      await file.discard();
      throw new HttpProblem(
        'UPLOAD_TOO_LARGE',
        'The body is longer than what is missing of the file. What was acknowledged before is safe.',
      );
    }
    checksum?.update(batch);
    await file.append(batch).catch((error: unknown) => keepWhatWasTaken(file, checksum, error));
    const isDue = file.unrecorded >= RECORD_BYTES || performance.now() - recordedAt >= RECORD_MS;
    if (!checksum && isDue) {
      await file.record();
      recordedAt = performance.now();
    }
  }
  if (body.ending === 'complete' && checksum && !checksum.matches()) {
    await file.discard();
    throw new HttpProblem(
      'CHECKSUM_MISMATCH',
      'What arrived is not what was sent: it was damaged on the way and not kept. Send these bytes again.',
    );
  }
  await file.record();
}

/** A storage that is full or away in the middle of a body: what it took before is kept. */
async function keepWhatWasTaken(
  file: OpenFile,
  checksum: Checksum | undefined,
  error: unknown,
): Promise<never> {
  if (checksum) await file.discard();
  else await file.record();
  throw error;
}
