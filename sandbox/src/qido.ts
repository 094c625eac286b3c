import type { IncomingMessage } from 'node:http';
import type { Instance, InstanceUids, Series, Study } from './archive.js';
import {
  ALL_INDEXED,
  INSTANCE_AVAILABILITY,
  LEVEL_OF,
  type Level,
  MODALITIES_IN_STUDY,
  MODALITY,
  NUMBER_OF_SERIES_RELATED_INSTANCES,
  NUMBER_OF_STUDY_RELATED_INSTANCES,
  NUMBER_OF_STUDY_RELATED_SERIES,
  RETRIEVE_URL,
  RETURNED,
  SOP_CLASS_UID,
  SPECIFIC_CHARACTER_SET,
  STUDY_INSTANCE_UID,
} from './attributes.js';
import { isPrivate, tag, tagNamed, vrOf } from './dicom-dictionary.js';
import { readHeader } from './dicom-file.js';
import { type Attributes, type JsonElement, stringify } from './dicom-json.js';
import type { Exchange } from './exchange.js';
import { pause } from './faults/connection.js';
import { dicomWebRoot, HttpError, retrieveUrl, sendJsonArray } from './http-answers.js';
import { type Matcher, matcherOf } from './matching.js';

/** Where a search looks, from its path. */
export interface Scope {
  level: Level;
  study?: string;
  series?: string;
}

interface Query {
  /** `GGGGEEEE` → matchers, all of which must match. */
  matchers: [key: string, matches: Matcher][];
  studyUids: string[] | undefined;
  included: Set<string>;
  /** Undefined where none is asked for. */
  limit: number | undefined;
  offset: number;
}

/** What a search looks at; for a study or a series, its first series and instance speak for the others. */
interface Entity {
  study: Study;
  series: Series;
  instance: Instance;
}

/** Not read from files but made for the answer. */
const COMPUTED = new Set([
  SPECIFIC_CHARACTER_SET,
  MODALITIES_IN_STUDY,
  NUMBER_OF_STUDY_RELATED_SERIES,
  NUMBER_OF_STUDY_RELATED_INSTANCES,
  NUMBER_OF_SERIES_RELATED_INSTANCES,
  INSTANCE_AVAILABILITY,
  RETRIEVE_URL,
]);
const LEVELS: readonly Level[] = ['study', 'series', 'instance'];
/** Not in Orthanc's index: it reads these from a file, at whatever level they are asked for. */
const MATCHED_AT_ANY_LEVEL = new Set([SOP_CLASS_UID, tag('Rows'), tag('Columns'), tag('BitsAllocated')]);

/**
 * QIDO-RS (PS3.18 10.6): unknown keys are ignored, nothing found is `200 []`, as with Orthanc 1.10.1, or 204.
 * Attributes that are not indexed are read from the file of one instance.
 */
export async function search(exchange: Exchange, scope: Scope): Promise<void> {
  const { personality, request } = exchange;
  const query = parseQuery(request);
  const most = rowsOf(query, exchange, scope.level);
  const found = results(exchange, query, scope, most);
  const first = await found.next();
  if (first.done && personality.nothingFound === 204) {
    await pause(exchange, exchange.answerDelayMs);
    exchange.response.writeHead(204).end();
    return;
  }
  async function* all() {
    if (first.done) return;
    yield first.value;
    yield* found;
  }
  await sendJsonArray(exchange, all());
}

function parseQuery(request: IncomingMessage): Query {
  const [, text = ''] = /\?(.*)$/s.exec(request.url ?? '') ?? [];
  const query: Query = {
    matchers: [],
    studyUids: undefined,
    included: new Set(),
    limit: undefined,
    offset: 0,
  };
  for (const [name, value] of new URLSearchParams(text)) {
    if (name === 'limit') query.limit = count(value);
    else if (name === 'offset') query.offset = count(value);
    else if (name === 'includefield') {
      for (const field of value.split(',')) includeField(query.included, field.trim());
    } else {
      const key = tagNamed(name);
      const vr = key && vrOf(key);
      if (!key || !vr || vr === 'UN' || vr === 'SQ' || isPrivate(key)) continue;
      query.matchers.push([key, matcherOf(vr, value)]);
      if (key === STUDY_INSTANCE_UID && value) query.studyUids = value.split(/[\\,]/);
    }
  }
  return query;
}

/** Orthanc refuses what is not a number. */
function count(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw HttpError.badFormat();
  return Number(value);
}

/** How many rows there are to be. Throws HttpError where the archive played takes no such limit or offset. */
function rowsOf({ limit, offset }: Query, { limits, personality }: Exchange, level: Level): number {
  const { rows, aboveMost, mostOffset } = personality.search;
  const { usual, most } = rows(level);
  if (offset > mostOffset) throw HttpError.outOfRange();
  if (aboveMost === 'refuse' && limit !== undefined && (limit < 1 || limit > most)) {
    throw HttpError.outOfRange();
  }
  // Orthanc takes a limit of 0 as none.
  return Math.min(limit || usual, most, limits.mostRows);
}

function includeField(included: Set<string>, field: string): void {
  const key = tagNamed(field);
  if (key) included.add(key);
  else if (field === 'all') for (const each of ALL_INDEXED) included.add(each);
}

async function* results(
  exchange: Exchange,
  query: Query,
  scope: Scope,
  most: number,
): AsyncGenerator<string> {
  const { archive, indexDelay, personality } = exchange;
  const { newestFirst, namesParents } = personality.search;
  const root = dicomWebRoot(exchange);
  let { offset } = query;
  let left = most;
  for (const entity of entities(indexDelay.visible(archive), scope, query.studyUids, newestFirst)) {
    if (left === 0) return;
    const { study, series, instance } = entity;
    const matchesIndexed = query.matchers.every(([key, matches]) => {
      if (!ALL_INDEXED.has(key)) return true;
      const element = study.attributes[key] ?? series.attributes[key] ?? instance.attributes[key];
      return matches(isBelow(key, scope.level) ? undefined : element);
    });
    if (!matchesIndexed) continue;
    const attributes = await attributesOf(entity, scope.level, query, root);
    const matchesOthers = query.matchers.every(
      ([key, matches]) => ALL_INDEXED.has(key) || matches(attributes[key]),
    );
    if (!matchesOthers) continue;
    if (offset > 0) {
      offset--;
      continue;
    }
    left--;
    yield stringify(chosen(attributes, scope.level, query.included, namesParents));
  }
}

function* entities(
  studies: ReadonlyMap<string, Study>,
  scope: Scope,
  studyUids: string[] | undefined,
  newestFirst: boolean,
): Generator<Entity> {
  const ordered = <T>(all: Iterable<T>) => (newestFirst ? [...all].reverse() : all);
  const wanted = { studies: scope.study === undefined ? studyUids : [scope.study], series: scope.series };
  for (const study of ordered(select(studies, wanted.studies))) {
    for (const series of ordered(
      select(study.series, wanted.series === undefined ? undefined : [wanted.series]),
    )) {
      for (const instance of ordered(series.instances.values())) {
        yield { study, series, instance };
        if (scope.level !== 'instance') break;
      }
      if (scope.level === 'study') break;
    }
  }
}

/** The values under the keys, each once, or all of them. */
function select<T>(map: ReadonlyMap<string, T>, keys: string[] | undefined): Iterable<T> {
  if (!keys) return map.values();
  return [...new Set(keys)].flatMap((key) => map.get(key) ?? []);
}

/** All that is known of an entity, with what the query asks for beyond the index. */
async function attributesOf(entity: Entity, level: Level, query: Query, root: string): Promise<Attributes> {
  const { study, series, instance } = entity;
  const known = {
    ...study.attributes,
    ...series.attributes,
    ...instance.attributes,
    ...computed(entity, level, root),
  };
  const asked = [...query.matchers.map(([key]) => key), ...query.included];
  const notIndexed = asked.filter((key) => !ALL_INDEXED.has(key) && !COMPUTED.has(key));
  if (notIndexed.length === 0 || instance.isLost) return known;
  const { attributes } = await readHeader(instance.file, new Set(notIndexed));
  return { ...attributes, ...known };
}

/** Orthanc finds no study by a series' or an instance's attributes, and no series by an instance's. */
function isBelow(key: string, level: Level): boolean {
  const indexedAt = LEVEL_OF.get(key);
  if (!indexedAt || MATCHED_AT_ANY_LEVEL.has(key)) return false;
  return LEVELS.indexOf(indexedAt) > LEVELS.indexOf(level);
}

function computed({ study, series, instance }: Entity, level: Level, root: string): Attributes {
  const uids: Partial<InstanceUids> = { study: study.uid };
  if (level !== 'study') uids.series = series.uid;
  if (level === 'instance') uids.instance = instance.uid;
  const common: Attributes = {
    [SPECIFIC_CHARACTER_SET]: { vr: 'CS', Value: ['ISO_IR 192'] },
    [INSTANCE_AVAILABILITY]: { vr: 'CS', Value: ['ONLINE'] },
    [RETRIEVE_URL]: { vr: 'UR', Value: [retrieveUrl(root, uids)] },
  };
  if (level === 'series') {
    return { ...common, [NUMBER_OF_SERIES_RELATED_INSTANCES]: numberOf(series.instances.size) };
  }
  if (level === 'instance') return common;
  const modalities = modalitiesOf(study);
  return {
    ...common,
    [MODALITIES_IN_STUDY]: modalities.length > 0 ? { vr: 'CS', Value: modalities } : { vr: 'CS' },
    [NUMBER_OF_STUDY_RELATED_SERIES]: numberOf(study.series.size),
    [NUMBER_OF_STUDY_RELATED_INSTANCES]: numberOf(instanceCount(study)),
  };
}

function numberOf(value: number): JsonElement {
  return { vr: 'IS', Value: [value] };
}

/** The modalities of a study's series, each once, in alphabetical order. */
export function modalitiesOf(study: Study): string[] {
  const modalities = [...study.series.values()].flatMap(
    ({ attributes }) => attributes[MODALITY]?.Value ?? [],
  );
  return [...new Set(modalities.map(String))].sort();
}

export function instanceCount(study: Study): number {
  return [...study.series.values()].reduce((sum, series) => sum + series.instances.size, 0);
}

function chosen(
  attributes: Attributes,
  level: Level,
  included: ReadonlySet<string>,
  namesParents: boolean,
): Attributes {
  const first = namesParents ? 0 : LEVELS.indexOf(level);
  const always = LEVELS.slice(first, LEVELS.indexOf(level) + 1).flatMap((each) => RETURNED[each]);
  const tags = [...always, ...COMPUTED, ...included];
  return Object.fromEntries(tags.flatMap((each) => (attributes[each] ? [[each, attributes[each]]] : [])));
}
