import { deleteFaults, putFaults, resetStatistics, sendFaults, sendStatistics } from './controls.js';
import type { Exchange } from './exchange.js';
import { HttpError } from './http-answers.js';
import { sendOverview } from './page.js';
import { type Scope, search } from './qido.js';
import { storeInstances } from './stow.js';
import { retrieve, retrieveBulkData, retrieveMetadata } from './wado.js';

/** What the methods of a resource do; a method that is not there is answered 405. */
type Handlers = Partial<Record<string, () => Promise<void> | void>>;

const SEARCH_ALL = /^\/(series|instances)$/;
const STUDIES =
  /^\/studies(?:\/(?<study>[^/]+)(?:\/series\/(?<series>[^/]+)(?:\/instances\/(?<instance>[^/]+))?)?)?(?<rest>\/.*)?$/;

/** Answers a DICOMweb request by its path below the root and its method. Throws HttpError, and what storing and reading throw. */
export async function routeDicomWeb(exchange: Exchange, path: string): Promise<void> {
  return answerBy(dicomWebResource(exchange, path), exchange);
}

/** Answers what is not DICOMweb: the page, and the switches and counts for tests. Throws HttpError. */
export async function routeOthers(exchange: Exchange, path: string): Promise<void> {
  return answerBy(otherResource(exchange, path), exchange);
}

async function answerBy(handlers: Handlers | undefined, { request, response }: Exchange): Promise<void> {
  if (!handlers) throw HttpError.unknownResource();
  const handle = handlers[request.method ?? ''];
  if (handle) return handle();
  response.writeHead(405, { Allow: Object.keys(handlers).join(','), 'Content-Length': 0 });
  response.end();
}

function otherResource(exchange: Exchange, path: string): Handlers | undefined {
  if (path === '/') {
    const page = () => sendOverview(exchange);
    return { GET: page, HEAD: page };
  }
  if (path === '/faults') {
    return {
      GET: () => sendFaults(exchange),
      PUT: () => putFaults(exchange),
      DELETE: () => deleteFaults(exchange),
    };
  }
  if (path !== '/statistics') return undefined;
  return { GET: () => sendStatistics(exchange), DELETE: () => resetStatistics(exchange) };
}

function dicomWebResource(exchange: Exchange, path: string): Handlers | undefined {
  const searching = (scope: Scope) => ({ GET: () => search(exchange, scope) });
  const withoutSlash = path.replace(/\/$/, '');
  const all = SEARCH_ALL.exec(withoutSlash)?.[1];
  if (all) return searching({ level: all === 'series' ? 'series' : 'instance' });

  const groups = STUDIES.exec(withoutSlash)?.groups;
  if (!groups) return undefined;
  const { rest = '' } = groups;
  const [study, series, instance] = [groups.study, groups.series, groups.instance].map(decoded);
  if (study === undefined) {
    const store = () => storeInstances(exchange, undefined);
    return rest === '' ? { ...searching({ level: 'study' }), POST: store } : undefined;
  }
  const inSeries = series === undefined ? {} : { series };
  const target = { study, ...inSeries, ...(instance !== undefined && { instance }) };
  const isStudy = series === undefined;
  if (rest === '/metadata') return { GET: () => retrieveMetadata(exchange, target) };
  if (rest === '/series' && isStudy) return searching({ level: 'series', study });
  if (rest === '/instances' && instance === undefined)
    return searching({ level: 'instance', study, ...inSeries });
  if (rest === '') {
    const get = () => retrieve(exchange, target);
    return isStudy ? { GET: get, POST: () => storeInstances(exchange, study) } : { GET: get };
  }
  const bulkPath = /^\/bulk\/(.+)$/.exec(rest)?.[1];
  if (bulkPath === undefined || series === undefined || instance === undefined) return undefined;
  return { GET: () => retrieveBulkData(exchange, { study, series, instance }, bulkPath) };
}

function decoded(segment: string | undefined): string | undefined {
  try {
    return segment && decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
