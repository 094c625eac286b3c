import { TextDecoder } from 'node:util';

/**
 * Text of DICOM's character sets (PS3.3 C.12.1.1.2, PS3.5 6.1) by the platform's TextDecoder. Forgiving where real
 * files are sloppy: misspelt terms are recognised by their number, undeclared 8-bit text is taken as UTF-8 when it is
 * valid UTF-8 and as Latin-1 otherwise.
 */
export type TextReader = (bytes: Uint8Array, isPersonName: boolean) => string;

/** Defined terms by their number (`ISO_IR 100`, `ISO 2022 IR 100`) → label of the WHATWG Encoding Standard. */
const LABELS: Record<string, string> = {
  '13': 'shift_jis',
  '58': 'gb18030',
  '87': 'iso-2022-jp',
  '100': 'windows-1252',
  '101': 'iso-8859-2',
  '109': 'iso-8859-3',
  '110': 'iso-8859-4',
  '126': 'iso-8859-7',
  '127': 'iso-8859-6',
  '138': 'iso-8859-8',
  '144': 'iso-8859-5',
  '148': 'windows-1254',
  '149': 'euc-kr',
  '166': 'windows-874',
  '192': 'utf-8',
  '203': 'iso-8859-15',
};

type TwoByteSet = 'jisx0208' | 'jisx0212';
/** What a code extension changes: the 7-bit half (G0) or the 8-bit half (G1) of the code table. */
type Designation = { g0: TwoByteSet | 'ascii' } | { g1: string };

/** Escape sequences, without the ESC, of PS3.3 tables C.12-3 and C.12-4. */
const DESIGNATIONS: Record<string, Designation> = {
  '(B': { g0: 'ascii' },
  '(J': { g0: 'ascii' },
  $B: { g0: 'jisx0208' },
  '$@': { g0: 'jisx0208' },
  '$(D': { g0: 'jisx0212' },
  ')I': { g1: 'shift_jis' },
  '$)C': { g1: 'euc-kr' },
  '$)A': { g1: 'gb18030' },
  '-A': { g1: 'windows-1252' },
  '-B': { g1: 'iso-8859-2' },
  '-C': { g1: 'iso-8859-3' },
  '-D': { g1: 'iso-8859-4' },
  '-F': { g1: 'iso-8859-7' },
  '-G': { g1: 'iso-8859-6' },
  '-H': { g1: 'iso-8859-8' },
  '-L': { g1: 'iso-8859-5' },
  '-M': { g1: 'windows-1254' },
  '-T': { g1: 'windows-874' },
  '-b': { g1: 'iso-8859-15' },
};

const ESCAPE = 0x1b;
/** Characters that bring back the initial code table: line ends, tab, backslash, and in names `^` and `=`. */
const RESETS = new Set([0x09, 0x0a, 0x0c, 0x0d, 0x5c]);
const NAME_RESETS = new Set([...RESETS, 0x5e, 0x3d]);

/** A reader for text under the given values of Specific Character Set (0008,0005). */
export function textReader(specificCharacterSet: readonly string[]): TextReader {
  const terms = specificCharacterSet.map((term) => term.trim());
  const initial = labelOf(terms[0] ?? '');
  const plain = initial ? plainReader(initial) : readUndeclared;
  if (!terms.some((term) => /2022|IR.?87$|IR.?159$/.test(term))) return plain;
  return (bytes, isPersonName) => readWithExtensions(bytes, plain, isPersonName ? NAME_RESETS : RESETS);
}

function labelOf(term: string): string | undefined {
  if (/^GB(18030|K)$/i.test(term)) return 'gb18030';
  return LABELS[/(\d+)$/.exec(term)?.[1] ?? ''];
}

const decoders = new Map<string, TextDecoder>();

function decode(label: string, bytes: Uint8Array): string {
  let decoder = decoders.get(label);
  if (!decoder) {
    decoder = new TextDecoder(label);
    decoders.set(label, decoder);
  }
  return decoder.decode(bytes);
}

function plainReader(label: string): (bytes: Uint8Array) => string {
  return (bytes) => decode(label, bytes);
}

function readUndeclared(bytes: Uint8Array): string {
  const text = decode('utf-8', bytes);
  return text.includes('\ufffd') ? decode('windows-1252', bytes) : text;
}

/** Text with code extensions (ISO 2022): cut at every escape sequence and reset, each run read by its own tables. */
function readWithExtensions(
  bytes: Uint8Array,
  readInitial: (bytes: Uint8Array) => string,
  resets: ReadonlySet<number>,
): string {
  let text = '';
  let g0: TwoByteSet | 'ascii' = 'ascii';
  let g1: string | undefined;
  let runStart = 0;
  const endRun = (end: number) => {
    const run = bytes.subarray(runStart, end);
    if (g0 !== 'ascii') text += decode('euc-jp', toEucJp(run, g0));
    else text += g1 ? decode(g1, run) : readInitial(run);
    runStart = end;
  };
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === ESCAPE) {
      endRun(at);
      const sequence = String.fromCharCode(...bytes.subarray(at + 1, at + 4));
      const name = [sequence, sequence.slice(0, 2)].find((candidate) => candidate in DESIGNATIONS);
      const designation = name === undefined ? undefined : DESIGNATIONS[name];
      if (designation && 'g0' in designation) g0 = designation.g0;
      else if (designation) g1 = designation.g1;
      at += name?.length ?? 0;
      runStart = at + 1;
    } else if (g0 === 'ascii' && resets.has(byte)) {
      endRun(at);
      g1 = undefined;
    }
  }
  endRun(bytes.length);
  return text;
}

/** EUC-JP holds the same two-byte sets with the high bits set, JIS X 0212 behind a 0x8F. */
function toEucJp(run: Uint8Array, set: TwoByteSet): Uint8Array {
  const high = run.map((byte) => byte | 0x80);
  if (set === 'jisx0208') return high;
  const out: number[] = [];
  for (let at = 0; at + 1 < high.length; at += 2) out.push(0x8f, high[at] ?? 0, high[at + 1] ?? 0);
  return Uint8Array.from(out);
}
