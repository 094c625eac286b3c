import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { Archive, Instance, InstanceUids, Series } from './archive.js';
import { type BulkValue, readBulkData } from './bulk-data.js';
import { stringify } from './dicom-json.js';
import type { Exchange } from './exchange.js';
import { dicomWebRoot, HttpError, pathOf, retrieveUrl, sendChunks, sendJsonArray } from './http-answers.js';
import { readMetadata } from './metadata.js';
import { parseMediaType } from './multipart.js';
import type { Personality } from './personalities/personality.js';

/** What is asked for: a study, a series of it, or an instance of that. */
export type Target = Pick<InstanceUids, 'study'> & Partial<InstanceUids>;

interface Found {
  uids: InstanceUids;
  instance: Instance;
}

/**
 * WADO-RS retrieval (PS3.18 10.4): every file byte for byte as it was stored. Unlike Orthanc this archive does not
 * transcode: without a transfer syntax in the Accept header the stored one is given, another one is refused.
 */
export async function retrieve(exchange: Exchange, target: Target): Promise<void> {
  const isSingle = target.instance !== undefined;
  const ways = exchange.personality.instancesAs;
  if (!isSingle && !ways.includes('multipart')) throw HttpError.unknownResource();
  const { transferSyntax, as } = accepted(exchange.request, isSingle ? ways : ['multipart']);
  const found = find(exchange.archive, target);
  if (transferSyntax !== '*' && found.some(({ instance }) => instance.transferSyntax !== transferSyntax)) {
    throw HttpError.badRequest(`Unsupported transfer syntax in WADO-RS: ${transferSyntax}`);
  }
  const [only] = found;
  if (as === 'single part' && only) {
    const headers = { 'Content-Type': 'application/dicom', 'Content-Length': only.instance.size };
    return sendChunks(exchange, headers, createReadStream(only.instance.file) as AsyncIterable<Buffer>);
  }
  const boundary = randomUUID();
  const heads = found.map(({ instance }) => partHead(boundary, 'application/dicom', instance.size));
  const tail = `--${boundary}--\r\n`;
  const headBytes = [...heads, tail].join('').length;
  const fileBytes = found.reduce((sum, { instance }) => sum + instance.size + '\r\n'.length, 0);
  async function* body() {
    for (const { instance } of found) {
      yield heads.shift() ?? '';
      yield* createReadStream(instance.file) as AsyncIterable<Buffer>;
      yield '\r\n';
    }
    yield tail;
  }
  const headers = { ...multipartOf('application/dicom', boundary), 'Content-Length': headBytes + fileBytes };
  await sendChunks(exchange, headers, body());
}

/** The transfer syntax asked for, `*` for any, and as what it is to be given. */
function accepted(
  request: IncomingMessage,
  ways: Personality['instancesAs'],
): { transferSyntax: string; as: (typeof ways)[number] } {
  const accept = request.headers.accept ?? '*/*';
  const { type, parameters } = parseMediaType(accept);
  const transferSyntax = parameters.get('transfer-syntax') ?? '*';
  if (type === '*/*') return { transferSyntax: '*', as: ways[0] ?? 'multipart' };
  if (type === 'application/dicom' && ways.includes('single part'))
    return { transferSyntax, as: 'single part' };
  if (!ways.includes('multipart')) throw HttpError.notAcceptable();
  if (type !== 'multipart/related') {
    throw HttpError.badRequest(`This WADO-RS plugin cannot generate the following content type: ${accept}`);
  }
  if ((parameters.get('type') ?? 'application/dicom').toLowerCase() !== 'application/dicom') {
    throw HttpError.badRequest(
      `This WADO-RS plugin only supports application/dicom return type for DICOM retrieval (${accept})`,
    );
  }
  return { transferSyntax, as: 'multipart' };
}

/** WADO-RS metadata: the whole header of every instance, read from the files as the client takes them. */
export async function retrieveMetadata(exchange: Exchange, target: Target): Promise<void> {
  const accept = exchange.request.headers.accept ?? '*/*';
  if (!['*/*', 'application/json', 'application/dicom+json'].includes(parseMediaType(accept).type)) {
    throw HttpError.badRequest(`This WADO-RS plugin cannot generate the following content type: ${accept}`);
  }
  const found = find(exchange.archive, target);
  const root = dicomWebRoot(exchange);
  async function* items() {
    for (const { uids, instance } of found) {
      yield stringify(await readMetadata(instance.file, retrieveUrl(root, uids)));
    }
  }
  await sendJsonArray(exchange, items());
}

/** The value a BulkDataURI of the metadata leads to; each fragment of encapsulated pixel data is a part. */
export async function retrieveBulkData(exchange: Exchange, uids: InstanceUids, path: string): Promise<void> {
  const [found] = find(exchange.archive, uids);
  const boundary = randomUUID();
  async function* body(values: AsyncIterable<BulkValue>) {
    let isThere = false;
    for await (const { length, pieces } of values) {
      isThere = true;
      yield partHead(boundary, 'application/octet-stream', length);
      yield* pieces;
      yield '\r\n';
    }
    if (!isThere) throw HttpError.inexistentItem(`No bulk data at ${pathOf(exchange.request)}`);
    yield `--${boundary}--\r\n`;
  }
  const headers = multipartOf('application/octet-stream', boundary);
  if (found) await sendChunks(exchange, headers, body(readBulkData(found.instance.file, path)));
}

/** The instances of a target. Throws a 404 in Orthanc's words when there are none. */
function find(archive: Archive, { study: studyUid, series: seriesUid, instance: uid }: Target): Found[] {
  const study = archive.studies.get(studyUid);
  if (!study) throw HttpError.inexistentItem(`Accessing an inexistent study with WADO-RS: ${studyUid}`);
  if (seriesUid !== undefined && !study.series.has(seriesUid)) {
    throw HttpError.inexistentItem(`Accessing an inexistent series with WADO-RS: ${seriesUid}`);
  }
  const found: Found[] = [];
  for (const series of study.series.values()) {
    if (seriesUid !== undefined && series.uid !== seriesUid) continue;
    for (const instance of instancesOf(series, uid)) {
      found.push({ uids: { study: studyUid, series: series.uid, instance: instance.uid }, instance });
    }
  }
  if (found.length === 0)
    throw HttpError.inexistentItem(`Accessing an inexistent instance with WADO-RS: ${uid}`);
  return found;
}

function instancesOf(series: Series, uid: string | undefined): Iterable<Instance> {
  const named = series.instances.get(uid ?? '');
  const wanted = uid === undefined ? [...series.instances.values()] : named ? [named] : [];
  return wanted.filter(({ isLost }) => !isLost);
}

function partHead(boundary: string, type: string, length: number): string {
  return `--${boundary}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\nMIME-Version: 1.0\r\n\r\n`;
}

function multipartOf(type: string, boundary: string): Record<string, string> {
  return { 'Content-Type': `multipart/related; type="${type}"; boundary=${boundary}` };
}
