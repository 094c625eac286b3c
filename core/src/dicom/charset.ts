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
  KS_X_1001,
  LATIN_1,
  LATIN_2,
  LATIN_3,
  LATIN_4,
  LATIN_5,
  LATIN_9,
  platformDecoder,
  THAI,
} from './code-sets.js';
import type { DecodedText, Iso2022State } from './iso-2022.js';
import { decodeIso2022 } from './iso-2022.js';

/** Decodes the text of one data set; never throws. */
export interface TextDecoding {
  /** Defined Terms of Specific Character Set as they stand in the file. */
  terms: string[];
  /** What is odd about the terms themselves. */
  problem?: 'unknown' | 'misspelt';
  decode(bytes: Uint8Array, isPersonName: boolean): DecodedText;
}

/** What ISO registration numbers put into G0 and G1 (PS3.3 tables C.12-2 to C.12-4). */
const REGISTERED: ReadonlyMap<string, Iso2022State> = new Map<string, Iso2022State>([
  ['6', { g0: ASCII, g1: undefined }],
  ['13', { g0: JIS_ROMAJI, g1: JIS_KATAKANA }],
  ['58', { g0: ASCII, g1: GB_2312 }],
  ['87', { g0: ASCII, g1: undefined }], // JIS X 0208 and 0212 enter G0 by escape sequences only
  ['159', { g0: ASCII, g1: undefined }],
  ['100', { g0: ASCII, g1: LATIN_1 }],
  ['101', { g0: ASCII, g1: LATIN_2 }],
  ['109', { g0: ASCII, g1: LATIN_3 }],
  ['110', { g0: ASCII, g1: LATIN_4 }],
  ['126', { g0: ASCII, g1: GREEK }],
  ['127', { g0: ASCII, g1: ARABIC }],
  ['138', { g0: ASCII, g1: HEBREW }],
  ['144', { g0: ASCII, g1: CYRILLIC }],
  ['148', { g0: ASCII, g1: LATIN_5 }],
  ['149', { g0: ASCII, g1: KS_X_1001 }],
  ['166', { g0: ASCII, g1: THAI }],
  ['203', { g0: ASCII, g1: LATIN_9 }],
]);

/** Terms that take the place of ISO 2022 altogether (PS3.3 table C.12-5), with the platform's name for them. */
const WHOLE: ReadonlyMap<string, string> = new Map([
  ['ISO_IR 192', 'utf-8'],
  ['GB18030', 'gb18030'],
  ['GBK', 'gbk'],
]);

/** Spellings met in real files, reduced to capital letters and digits. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['UTF8', 'ISO_IR 192'],
  ['ISO2022IR192', 'ISO_IR 192'],
  ['ISO88591', 'ISO_IR 100'],
  ['LATIN1', 'ISO_IR 100'],
  ['GB2312', 'GBK'],
]);

/** The Defined Term that was meant, or `undefined` for one that nobody knows. */
function canonicalTerm(term: string): string | undefined {
  const bare = term.toUpperCase().replace(/[^A-Z0-9]/g, '');
  if (bare === '') return '';
  const other = OTHER_NAMES.get(bare);
  if (other !== undefined) return other;
  if (WHOLE.has(bare)) return bare;
  const [, extension, number = ''] = /^ISO(2022)?IR(\d+)$/.exec(bare) ?? [];
  if (number === '192') return 'ISO_IR 192';
  if (!REGISTERED.has(number)) return undefined;
  return extension === undefined ? `ISO_IR ${number}` : `ISO 2022 IR ${number}`;
}

function registration(term: string | undefined): Iso2022State | undefined {
  return REGISTERED.get(/\d+$/.exec(term ?? '')?.[0] ?? '6');
}

/**
 * Chooses the decoding for the values of Specific Character Set (0008,0005). Misspelt terms are understood where
 * their meaning is plain; unknown ones are read as the default repertoire.
 *
 * @param terms the values, in order; empty for an absent element
 */
export function textDecodingFor(terms: string[]): TextDecoding {
  const canonical = terms.map(canonicalTerm);
  const decode = decoderFor(canonical.filter((term) => term !== undefined));
  if (canonical.includes(undefined)) return { terms, problem: 'unknown', decode };
  return canonical.every((term, index) => term === terms[index])
    ? { terms, decode }
    : { terms, problem: 'misspelt', decode };
}

function decoderFor(terms: string[]): TextDecoding['decode'] {
  // PS3.3 §C.12.1.1.2: UTF-8, GB18030 and GBK stand alone; beside others they are still the likeliest reading.
  const whole = terms.find((term) => WHOLE.has(term));
  if (whole !== undefined) return (bytes) => decodeWhole(bytes, WHOLE.get(whole) ?? 'utf-8');
  const initial = registration(terms[0]) ?? { g0: ASCII, g1: undefined };
  // Some writers invoke Korean or Chinese once and rely on it behind a delimiter, where it must be invoked again.
  const fallback: CodeSet | undefined = terms.map((term) => registration(term)?.g1).find(Boolean);
  return (bytes, isPersonName) => decodeIso2022(bytes, initial, fallback, isPersonName);
}

function decodeWhole(bytes: Uint8Array, label: string): DecodedText {
  try {
    const text = platformDecoder(label, true)?.decode(bytes);
    if (text !== undefined) return { text };
  } catch {
    // Not valid in this encoding: the name is still shown, as far as it can be read.
  }
  const text = label === 'utf-8' ? decodeLatin1(bytes) : platformDecoder(label)?.decode(bytes);
  return { text: text ?? decodeLatin1(bytes), doubt: 'undecodable' };
}
