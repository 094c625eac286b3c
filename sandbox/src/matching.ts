import type { JsonElement, JsonValue } from './dicom-json.js';
import { HttpError } from './http-answers.js';

/** VRs in which `*` and `?` are wild cards (PS3.4 C.2.2.2.4). */
const WILDCARD_VRS = new Set(['AE', 'CS', 'LO', 'LT', 'PN', 'SH', 'ST', 'UC', 'UR', 'UT']);
const RANGE_VRS = new Set(['DA', 'DT', 'TM']);

/** Whether an attribute matches; one that the data set lacks matches nothing but an empty key. */
export type Matcher = (element: JsonElement | undefined) => boolean;

/**
 * The matcher for one key of a query, with the attribute matching of PS3.4 C.2.2.2: an empty key matches all, several
 * values (by comma or backslash) match any of them, dates and times match ranges, text matches wild cards and case.
 * Throws a 400 for wild cards where there can be none, as Orthanc does.
 */
export function matcherOf(vr: string, key: string): Matcher {
  if (key === '') return () => true;
  const matcher = RANGE_VRS.has(vr) ? rangeMatcher : valueMatcher;
  const anyOf = key.split(/[\\,]/).map((value) => matcher(value, vr));
  return (element) =>
    element !== undefined && valuesOf(element).some((value) => anyOf.some((matches) => matches(value)));
}

function valueMatcher(key: string, vr: string): (value: string) => boolean {
  if (!/[*?]/.test(key)) {
    return (value) => value === key || (isNumber(key) && isNumber(value) && +value === +key);
  }
  if (!WILDCARD_VRS.has(vr)) throw HttpError.outOfRange();
  return (value) => matchesWildcard(value, key);
}

function isNumber(text: string): boolean {
  return /^[+-]?\d+(\.\d*)?$/.test(text) && text.length < 16;
}

/** `a`, `a-b`, `a-` or `-b`, both ends included; a shorter value stands for all that begin with it. */
function rangeMatcher(key: string): (value: string) => boolean {
  if (/[*?]/.test(key)) throw HttpError.outOfRange();
  const dash = key.indexOf('-');
  if (dash < 0) return (value) => value === key;
  const [from, to] = [key.slice(0, dash), key.slice(dash + 1)];
  return (value) => value !== '' && value >= from && (to === '' || value <= to || value.startsWith(to));
}

/** Glob matching by one pass with a single point to fall back to: linear in practice, never exponential. */
export function matchesWildcard(text: string, pattern: string): boolean {
  let [at, inPattern, star, retryAt] = [0, 0, -1, 0];
  while (at < text.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern++;
      retryAt = at;
    } else if (pattern[inPattern] === '?' || pattern[inPattern] === text[at]) {
      inPattern++;
      at++;
    } else if (star >= 0) {
      inPattern = star + 1;
      at = ++retryAt;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(inPattern));
}

function valuesOf({ Value = [] }: JsonElement): string[] {
  return Value.length === 0 ? [''] : Value.flatMap(textsOf);
}

/** A name matches by any of its groups. */
function textsOf(value: JsonValue): string[] {
  if (value === null || typeof value !== 'object') return [String(value ?? '')];
  return Object.values(value as Record<string, string>);
}
