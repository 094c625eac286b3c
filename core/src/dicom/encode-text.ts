import { type TextDecoding, textDecodingFor } from './charset.js';

/**
 * Writes a text as a data set with these character sets has to (PS3.3 §C.12.1.1.2). What is written is read once more:
 * a character the data set has no way to write makes it nothing at all.
 *
 * @param terms - values of Specific Character Set (0008,0005), in order
 * @returns `undefined` when a character cannot be written; with code extensions (ISO 2022) those beyond ASCII
 */
export function encodeText(text: string, terms: readonly string[]): Uint8Array | undefined {
  const { decode } = textDecodingFor([...terms]);
  const [term = '', ...others] = terms;
  const candidates: Array<() => Uint8Array> = [() => new TextEncoder().encode(text)];
  // Where escape sequences switch between sets, ours could not be told from one that was forgotten.
  if (others.length === 0 && !/2022/.test(term)) candidates.push(() => byTable(text, term, decode));
  for (const candidate of candidates) {
    const bytes = candidate();
    if (decode(bytes, false).text === text) return bytes;
  }
  return undefined;
}

const tables = new Map<string, ReadonlyMap<string, readonly number[]>>();

/** Characters that are not in the table are left out. */
function byTable(text: string, term: string, decode: TextDecoding['decode']): Uint8Array {
  const table = tables.get(term) ?? tableOf(decode);
  tables.set(term, table);
  return Uint8Array.from([...text].flatMap((character) => table.get(character) ?? []));
}

/** Every character that one byte stands for, or two as in GBK and GB18030. */
function tableOf(decode: TextDecoding['decode']): ReadonlyMap<string, readonly number[]> {
  const table = new Map<string, readonly number[]>();
  const note = (...bytes: number[]) => {
    const { text, doubt } = decode(Uint8Array.from(bytes), false);
    if (doubt === undefined && [...text].length === 1 && !table.has(text)) table.set(text, bytes);
  };
  for (let byte = 0x20; byte <= 0xff; byte += 1) note(byte);
  for (let lead = 0x81; lead <= 0xfe; lead += 1) {
    for (let trail = 0x40; trail <= 0xfe; trail += 1) note(lead, trail);
  }
  return table;
}
