/** Words compared of one name: no name has more, and a hostile one could have thousands. */
const MAX_WORDS = 24;
/** Characters looked at of one group: PS3.5 §6.2 allows 64. */
const MAX_CHARACTERS = 512;

/** What systems write in place of a name: without repeated words, in alphabetical order. */
const PLACEHOLDERS: ReadonlySet<string> = new Set([
  'a n',
  'anon',
  'anonym',
  'anonymised',
  'anonymized',
  'anonymous',
  'anonymous patient',
  'na',
  'name no',
  'name unknown',
  'noname',
  'none',
  'null',
  'patient unknown',
  'unbekannt',
  'unidentified',
  'unknown',
]);

/** Forms of address that one system writes and another leaves out. Jr and Sr are no such: they part son and father. */
const TITLES: ReadonlySet<string> = new Set('dr prof med mr mrs ms miss md phd herr frau'.split(' '));

/**
 * The words of a name as they are compared: case, accents, punctuation and order do not make a different patient.
 * Of a DICOM name with several component groups (PS3.5 §6.2.1) the first one that says something counts: the
 * alphabetic one, unless it is empty.
 */
export function normalisedNameWords(name: string): string[] {
  for (const group of name.split('=')) {
    const words = wordsOf(group);
    if (words.length > 0) return words;
  }
  return [];
}

/** Letter by letter as in `dedupeText`, which decides whether two uploads announce the same study. */
function wordsOf(text: string): string[] {
  return text
    .slice(0, MAX_CHARACTERS)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '')
    .slice(0, MAX_WORDS);
}

/** Whether a text says nothing of who it is: empty, or `Unknown`, `Anonymous`, `NO NAME`. */
export function isPlaceholder(text: string): boolean {
  const words = normalisedNameWords(text);
  return words.length === 0 || PLACEHOLDERS.has([...new Set(words)].sort().join(' '));
}

/**
 * Whether two names may be one person's. The words of one must be among those of the other, where an initial
 * stands for any word it begins, `O'Brien` is `OBrien`, and `Müller` is `Mueller`. A placeholder may be anyone, and
 * so may a name in another script, which nothing here can compare.
 */
export function areNamesCompatible(one: string, other: string): boolean {
  if (isPlaceholder(one) || isPlaceholder(other)) return true;
  const a = comparableWords(one);
  const b = comparableWords(other);
  if (a.length === 0 || b.length === 0) return true;
  if ((isLatin(a) && isForeign(b)) || (isForeign(a) && isLatin(b))) return true;
  return isCovered(a, b) || isCovered(b, a);
}

function comparableWords(name: string): string[] {
  return normalisedNameWords(name)
    .filter((word) => !TITLES.has(word))
    .map(withoutSpellings);
}

/** German ä and Danish ø are also written ae and oe: both spellings are brought to one, for this comparison only. */
function withoutSpellings(word: string): string {
  return word
    .replace(/ß/g, 'ss')
    .replace(/[æä]/g, 'a')
    .replace(/[øœ]/g, 'o')
    .replace(/ł/g, 'l')
    .replace(/([aou])e/g, '$1');
}

function isLatin(words: readonly string[]): boolean {
  return words.some((word) => /\p{Script=Latin}/u.test(word));
}

/** Has letters, and none that are Latin. */
function isForeign(words: readonly string[]): boolean {
  return !isLatin(words) && words.some((word) => /\p{L}/u.test(word));
}

/** Each word of `a`, alone or written together with those behind it, is found in `b`. */
function isCovered(a: readonly string[], b: readonly string[]): boolean {
  const known = new Set(runsOf(b));
  let at = 0;
  while (at < a.length) {
    // The longest first: the `o` of `o brien` would pass for an initial, and leave `brien` alone.
    const length = [3, 2, 1].find(
      (words) => at + words <= a.length && known.has(a.slice(at, at + words).join('')),
    );
    if (length === undefined && !b.some((word) => isInitial(a[at] ?? '', word))) return false;
    at += length ?? 1;
  }
  return true;
}

/** The words, and up to three neighbours written as one. */
function runsOf(words: readonly string[]): string[] {
  return words.flatMap((_, at) => [1, 2, 3].map((length) => words.slice(at, at + length).join('')));
}

function isInitial(one: string, other: string): boolean {
  return one[0] === other[0] && (one.length === 1 || other.length === 1);
}
