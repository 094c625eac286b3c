import { acceptsDicomJson } from './accept.js';
import type { InstanceUids, Spool } from './archive.js';
import { ALL_INDEXED, SOP_INSTANCE_UID, textOf } from './attributes.js';
import { tag } from './dicom-dictionary.js';
import { type Header, readHeader } from './dicom-file.js';
import { DicomFormatError } from './dicom-walk.js';
import type { Exchange } from './exchange.js';
import { answerWithoutReading, pause, reset, resetAfterFlush } from './faults/connection.js';
import { storeAmidFaults } from './faults/instances.js';
import { withNewFileMeta } from './file-meta.js';
import { dicomWebRoot, HttpError, pathOf, sendText } from './http-answers.js';
import { parseMediaType, readParts } from './multipart.js';
import type { Outcome, TextAnswer, Verdict } from './personalities/personality.js';

/** What became of a part, or what is to be done to store it once the whole body is there. */
type Part = Outcome | (() => Promise<Outcome>);

/**
 * STOW-RS (PS3.18 10.5). Parts go to disk as they come. Orthanc stores nothing before the whole body is there, others
 * store part by part.
 */
export async function storeInstances(exchange: Exchange, expectedStudy: string | undefined): Promise<void> {
  const { limits, personality, request, response } = exchange;
  const mostBytes = limits.mostRequestBytes ?? personality.mostRequestBytes;
  if (Number(request.headers['content-length'] ?? 0) > mostBytes) {
    const refused = { method: request.method ?? '', path: pathOf(request) };
    const { status, headers, body } = personality.errorAnswer(HttpError.tooLarge(), refused);
    return answerWithoutReading(exchange, status, headers, body);
  }
  exchange.incoming = atMost(exchange.incoming, mostBytes);
  const { type, parameters } = parseMediaType(request.headers['content-type'] ?? '');
  const boundary = parameters.get('boundary');
  const partType = parameters.get('type')?.toLowerCase();
  if (type !== 'multipart/related' || partType !== 'application/dicom' || !boundary) {
    throw HttpError.unsupportedMediaType();
  }
  if (personality.checksAccept && !acceptsDicomJson(request.headers.accept)) throw HttpError.notAcceptable();
  const spools: Spool[] = [];
  const outcomes: Outcome[] = [];
  try {
    // One after another, so that they are listed in the order they were sent.
    for (const part of await receive(exchange, boundary, expectedStudy, spools)) {
      outcomes.push(typeof part === 'function' ? await part() : part);
    }
  } finally {
    await Promise.all(spools.map((spool) => spool.discard()));
  }
  await pause(exchange, exchange.answerDelayMs);
  for (const outcome of outcomes) if (outcome.kind === 'abort') throw outcome.error;
  const answer = personality.stowAnswer(outcomes, dicomWebRoot(exchange));
  const lost = exchange.faults.take('storedButAnswerLost');
  if (lost) await loseAnswer(exchange, answer, lost.afterBytes ?? 0);
  sendText(response, answer);
}

/** The body, unless it is larger than that: HttpError 413. */
async function* atMost(chunks: AsyncIterable<Buffer>, most: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    // Read to its end all the same: leaving off would end the connection before the answer.
    if (bytes <= most) yield chunk;
  }
  if (bytes > most) throw HttpError.tooLarge();
}

/** Sends so many bytes of the answer, none of it with 0, and resets the connection. */
async function loseAnswer(exchange: Exchange, { status, headers, body }: TextAnswer, bytes: number) {
  if (bytes === 0) return reset(exchange);
  exchange.response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) });
  // Never the whole of it: that would be an answer.
  exchange.response.write(Buffer.from(body).subarray(0, Math.min(bytes, Buffer.byteLength(body) - 1)));
  return resetAfterFlush(exchange);
}

/** Reads the body to its end, each DICOM part into a spool file of its own. */
async function receive(
  exchange: Exchange,
  boundary: string,
  expectedStudy: string | undefined,
  spools: Spool[],
): Promise<Part[]> {
  const { archive, personality } = exchange;
  const parts: Part[] = [];
  let spool: Spool | undefined;
  let stopped = false;
  for await (const event of readParts(exchange.incoming, boundary)) {
    if (stopped) continue;
    if (event.kind === 'part') {
      const partType = event.headers.get('content-type');
      spool = undefined;
      if (partType === undefined) continue;
      if (personality.stopsAtOtherParts) {
        // With a transfer-syntax parameter, or in capitals, it is another type to Orthanc.
        stopped = partType !== 'application/dicom';
        if (stopped) continue;
      } else if (parseMediaType(partType).type !== 'application/dicom') continue;
      spool = await archive.spool();
      spools.push(spool);
    } else if (event.kind === 'data') {
      await spool?.write(event.bytes);
    } else if (spool) {
      await spool.close();
      const part = await takePart(exchange, spool, expectedStudy);
      parts.push(part);
      stopped = typeof part !== 'function' && (part.kind === 'stop' || part.kind === 'abort');
      if (typeof part !== 'function') await spool.discard();
    }
  }
  return parts;
}

async function takePart(exchange: Exchange, spool: Spool, expectedStudy: string | undefined): Promise<Part> {
  const { personality, statistics } = exchange;
  const header = await headerOf(spool);
  const arrived = header && textOf(header.attributes, SOP_INSTANCE_UID);
  if (arrived) statistics.arrived(arrived);
  const verdict = personality.judge(header?.attributes, expectedStudy);
  if (verdict.kind !== 'accepted' || !header) return verdict as Exclude<Verdict, { kind: 'accepted' }>;
  const store = () => storeAccepted(exchange, verdict, spool, header);
  return personality.storesPartByPart ? store() : store;
}

/** Undefined when it is not DICOM that can be read. */
async function headerOf(spool: Spool): Promise<Header | undefined> {
  try {
    return await readHeader(spool.path, ALL_INDEXED, { checkWholeFile: true });
  } catch (error) {
    if (error instanceof DicomFormatError) return undefined;
    throw error;
  }
}

async function storeAccepted(
  exchange: Exchange,
  accepted: Extract<Verdict, { kind: 'accepted' }>,
  spool: Spool,
  header: Header,
): Promise<Outcome> {
  const { archive, indexDelay, personality, statistics } = exchange;
  const { uids, sopClass } = accepted;
  if (archive.find(uids) && !indexDelay.isHidden(uids)) statistics.cameNeedlessly();
  const add = async () => {
    const isNew = personality.rewritesFileMeta
      ? await addRewritten(exchange, accepted, spool, header)
      : await archive.add(uids, spool.path, header);
    if (isNew) statistics.stored();
    return isNew;
  };
  const stored: Outcome = { kind: 'stored', uids, sopClass };
  if (personality.hidesConflicts && contradicts(exchange, uids, header)) return stored;
  const outcome = await storeAmidFaults(exchange, accepted, add);
  if (outcome) return outcome;
  const { duplicate } = personality;
  if (duplicate.kind === 'refused') {
    const { reason, comment } = duplicate;
    return { kind: 'failed', instance: uids.instance, sopClass, reason, ...(comment && { comment }) };
  }
  if (duplicate.kind === 'replaced') await archive.replace(uids, spool.path, header);
  return stored;
}

/**
 * Elements by which AWS HealthImaging tells whether an instance belongs to what it holds of its study and series
 * (understanding-image-sets in its developer guide).
 */
const GROUPING = ['StudyDate', 'AccessionNumber', 'PatientID', 'StudyID', 'SeriesNumber'].map(tag);

/** Whether the instance contradicts what is held of its study or series. */
function contradicts(
  { archive }: Exchange,
  { study, series }: InstanceUids,
  { attributes }: Header,
): boolean {
  const heldStudy = archive.studies.get(study);
  const held = { ...heldStudy?.attributes, ...heldStudy?.series.get(series)?.attributes };
  return GROUPING.some((key) => key in held && textOf(held, key) !== (textOf(attributes, key) ?? ''));
}

async function addRewritten(
  { archive }: Exchange,
  { uids, sopClass }: Extract<Verdict, { kind: 'accepted' }>,
  spool: Spool,
  header: Header,
): Promise<boolean> {
  const rewritten = await archive.spool();
  try {
    for await (const bytes of withNewFileMeta(spool.path, { sopClass, instance: uids.instance })) {
      await rewritten.write(bytes);
    }
    await rewritten.close();
    return await archive.add(uids, rewritten.path, header);
  } finally {
    await rewritten.discard();
  }
}
