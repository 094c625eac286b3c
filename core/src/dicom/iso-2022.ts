import type { CodeSet } from './code-sets.js';
import {
  ARABIC,
  ASCII,
  CYRILLIC,
  decodeLatin1,
  GB_2312,
  GREEK,
  HEBREW,
  JIS_KATAKANA,
  JIS_ROMAJI,
  JIS_X_0208,
  JIS_X_0212,
  KS_X_1001,
  LATIN_1,
  LATIN_2,
  LATIN_3,
  LATIN_4,
  LATIN_5,
  LATIN_9,
  THAI,
} from './code-sets.js';

/** What was doubtful about a decoded value. */
export type DecodingDoubt = 'undeclared' | 'undecodable';

export interface DecodedText {
  text: string;
  doubt?: DecodingDoubt;
}

/** The sets at work at one point of a value. */
export interface Iso2022State {
  g0: CodeSet;
  g1: CodeSet | undefined;
}

/** Escape sequences of PS3.3 tables C.12-3 and C.12-4, without the leading ESC. */
const ESCAPES: readonly (readonly [sequence: string, half: 'g0' | 'g1', set: CodeSet])[] = [
  ['(B', 'g0', ASCII],
  ['(J', 'g0', JIS_ROMAJI],
  [')I', 'g1', JIS_KATAKANA],
  ['$B', 'g0', JIS_X_0208],
  ['$@', 'g0', JIS_X_0208], // its 1978 edition
  ['$(D', 'g0', JIS_X_0212],
  ['$)C', 'g1', KS_X_1001],
  ['$)A', 'g1', GB_2312],
  ['-A', 'g1', LATIN_1],
  ['-B', 'g1', LATIN_2],
  ['-C', 'g1', LATIN_3],
  ['-D', 'g1', LATIN_4],
  ['-L', 'g1', CYRILLIC],
  ['-G', 'g1', ARABIC],
  ['-F', 'g1', GREEK],
  ['-H', 'g1', HEBREW],
  ['-M', 'g1', LATIN_5],
  ['-b', 'g1', LATIN_9],
  ['-T', 'g1', THAI],
];

const ESC = 0x1b;
const SPACE = 0x20;

/** Control characters and delimiters before which the initial state is restored (PS3.5 §6.1.2.5.3). */
function resetsState(byte: number, isPersonName: boolean): boolean {
  if (byte < SPACE || byte === 0x5c) return true;
  return isPersonName && (byte === 0x5e || byte === 0x3d);
}

/**
 * Decodes a value with code extensions (PS3.5 §6.1.2.5). Delimiters are looked for only while G0 is a single-byte
 * set: within JIS X 0208 the bytes of `\`, `^` and `=` are halves of characters.
 *
 * @param initial the state that value 1 of Specific Character Set asks for
 * @param fallbackG1 the set for high bytes when none was invoked, or `undefined` to take them as Latin-1
 */
export function decodeIso2022(
  bytes: Uint8Array,
  initial: Iso2022State,
  fallbackG1: CodeSet | undefined,
  isPersonName: boolean,
): DecodedText {
  let { g0, g1 } = initial;
  let text = '';
  let doubt: DecodingDoubt | undefined;
  let position = 0;
  while (position < bytes.length) {
    const byte = bytes[position] ?? 0;
    if (byte === ESC) {
      const rest = decodeLatin1(bytes.subarray(position + 1, position + 4));
      const invoked = ESCAPES.find(([sequence]) => rest.startsWith(sequence));
      if (invoked === undefined) doubt ??= 'undecodable';
      else if (invoked[1] === 'g0') g0 = invoked[2];
      else g1 = invoked[2];
      position += 1 + (invoked?.[0].length ?? 0);
      continue;
    }
    const delimits = (candidate: number) =>
      (candidate < SPACE || g0.bytesPerCharacter === 1) && resetsState(candidate, isPersonName);
    if (byte === SPACE || delimits(byte)) {
      if (byte !== SPACE) ({ g0, g1 } = initial);
      text += String.fromCharCode(byte);
      position += 1;
      continue;
    }
    const set = byte < 0x80 ? g0 : (g1 ?? fallbackG1);
    if (set === undefined) doubt ??= 'undeclared';
    const end = endOfRun(bytes, position, delimits);
    const run = (set ?? LATIN_1).decode(bytes.subarray(position, end));
    if (run.includes('\ufffd')) doubt = 'undecodable';
    text += run;
    position = end;
  }
  return doubt === undefined ? { text } : { text, doubt };
}

/** End of the bytes from `start` that one set decodes in one go. */
function endOfRun(bytes: Uint8Array, start: number, delimits: (byte: number) => boolean): number {
  const high = (bytes[start] ?? 0) >= 0x80;
  let end = start + 1;
  for (; end < bytes.length; end += 1) {
    const byte = bytes[end] ?? 0;
    if (byte >= 0x80 !== high || byte <= SPACE || (!high && delimits(byte))) break;
  }
  return end;
}
