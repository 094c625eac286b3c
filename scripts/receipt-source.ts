import { isDeepStrictEqual } from 'node:util';
import { inflateSync } from 'node:zlib';

/** What is at hand is no receipt, or holds none that can be read. */
export class NotAReceipt extends Error {}

/** What was signed, and what stands beside it to be read. */
export interface ReceiptSource {
  jws: string;
  /** The readable fields of a JSON receipt; undefined where there is nothing but the signed ones. */
  readable: unknown;
}

const JWS = /^[\w-]+\.[\w-]+\.[\w-]+$/;
/** A receipt of 100,000 images has some 60 MB. */
const MOST_INFLATED_BYTES = 256 * 1024 * 1024;

/**
 * Finds the signed receipt in a file: the JSON of the API, the bare JWS, or the PDF.
 *
 * @throws NotAReceipt
 */
export function readReceipt(bytes: Buffer): ReceiptSource {
  if (bytes.subarray(0, 1024).includes('%PDF-')) return { jws: attachmentOf(bytes), readable: undefined };
  const text = bytes.toString('utf8').trim();
  if (JWS.test(text)) return { jws: text, readable: undefined };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new NotAReceipt('The file is neither JSON, nor a JWS, nor a PDF');
  }
  if (typeof json !== 'object' || json === null || !('jws' in json) || typeof json.jws !== 'string') {
    throw new NotAReceipt('The JSON has no field "jws"');
  }
  const { jws, ...readable } = json;
  return { jws, readable };
}

/** True when nothing readable stands there, or it says what was signed, no more and no less. */
export function saysTheSame({ readable }: ReceiptSource, signed: unknown): boolean {
  return readable === undefined || isDeepStrictEqual(readable, signed);
}

/**
 * The attached file of a PDF as RelayPACS writes it: every object stands by itself, streams are deflated or not (ISO
 * 32000-1 §7.11.4). A PDF that another program has saved anew may be written otherwise.
 */
function attachmentOf(pdf: Buffer): string {
  const text = pdf.toString('latin1');
  for (const match of text.matchAll(/<<(?:(?!endobj)[\s\S])*?\/Type \/EmbeddedFile\b[\s\S]*?stream\r?\n/g)) {
    const [dictionary] = match;
    const start = match.index + dictionary.length;
    const length = Number(/\/Length (\d+)/.exec(dictionary)?.[1] ?? 0);
    const content = inflated(pdf.subarray(start, start + length), dictionary)
      ?.toString('latin1')
      .trim();
    if (content !== undefined && JWS.test(content)) return content;
  }
  throw new NotAReceipt(
    'No signed receipt is attached to the PDF. If a PDF viewer shows the attachment receipt.jws, save it and check that',
  );
}

function inflated(bytes: Buffer, dictionary: string): Buffer | undefined {
  if (!dictionary.includes('/FlateDecode')) return bytes;
  try {
    return inflateSync(bytes, { maxOutputLength: MOST_INFLATED_BYTES });
  } catch {
    return undefined;
  }
}
