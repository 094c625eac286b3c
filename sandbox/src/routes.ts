import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Archive } from './archive.js';
import { HttpError, pathOf } from './http-answers.js';
import { sendOverview } from './page.js';
import { type Scope, search } from './qido.js';
import { storeInstances } from './stow.js';
import { retrieve, retrieveBulkData, retrieveMetadata } from './wado.js';

/** What the methods of a resource do; a method that is not there is answered 405. */
type Handlers = Partial<Record<string, () => Promise<void> | void>>;

const SEARCH_ALL = /^\/dicom-web\/(series|instances)$/;
const STUDIES =
  /^\/dicom-web\/studies(?:\/(?<study>[^/]+)(?:\/series\/(?<series>[^/]+)(?:\/instances\/(?<instance>[^/]+))?)?)?(?<rest>\/.*)?$/;

/** Answers a request by its path and method. Throws HttpError, and what storing and reading throw. */
export async function route(
  archive: Archive,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const handlers = resourceAt(archive, request, response);
  if (!handlers) throw HttpError.unknownResource();
  const handle = handlers[request.method ?? ''];
  if (handle) return handle();
  response.writeHead(405, { Allow: Object.keys(handlers).join(','), 'Content-Length': 0 });
  response.end();
}

function resourceAt(
  archive: Archive,
  request: IncomingMessage,
  response: ServerResponse,
): Handlers | undefined {
  const path = pathOf(request);
  if (path === '/') {
    const page = () => sendOverview(archive, request, response);
    return { GET: page, HEAD: page };
  }
  const searching = (scope: Scope) => ({ GET: () => search(archive, request, response, scope) });
  const withoutSlash = path.replace(/\/$/, '');
  const all = SEARCH_ALL.exec(withoutSlash)?.[1];
  if (all) return searching({ level: all === 'series' ? 'series' : 'instance' });

  const groups = STUDIES.exec(withoutSlash)?.groups;
  if (!groups) return undefined;
  const { rest = '' } = groups;
  const [study, series, instance] = [groups.study, groups.series, groups.instance].map(decoded);
  if (study === undefined) {
    const store = () => storeInstances(archive, request, response, undefined);
    return rest === '' ? { ...searching({ level: 'study' }), POST: store } : undefined;
  }
  const inSeries = series === undefined ? {} : { series };
  const target = { study, ...inSeries, ...(instance !== undefined && { instance }) };
  const isStudy = series === undefined;
  if (rest === '/metadata') return { GET: () => retrieveMetadata(archive, request, response, target) };
  if (rest === '/series' && isStudy) return searching({ level: 'series', study });
  if (rest === '/instances' && instance === undefined)
    return searching({ level: 'instance', study, ...inSeries });
  if (rest === '') {
    const get = () => retrieve(archive, request, response, target);
    return isStudy
      ? { GET: get, POST: () => storeInstances(archive, request, response, study) }
      : { GET: get };
  }
  const bulkPath = /^\/bulk\/(.+)$/.exec(rest)?.[1];
  if (bulkPath === undefined || series === undefined || instance === undefined) return undefined;
  return { GET: () => retrieveBulkData(archive, request, response, { study, series, instance }, bulkPath) };
}

function decoded(segment: string | undefined): string | undefined {
  try {
    return segment && decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
