import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { ByteReader, fileFeed, streamFeed, TruncatedError } from './byte-reader.js';
import { type TextReader, textReader } from './character-set.js';
import { type Attributes, elementOf, isBulk } from './dicom-json.js';
import { DicomFormatError, type Encoding, readElementHeader, walkDataset } from './dicom-walk.js';

const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';
const IMPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2';
const EXPLICIT_BIG_ENDIAN = '1.2.840.10008.1.2.2';
const DEFLATED = '1.2.840.10008.1.2.1.99';
const META_ENCODING: Encoding = { explicit: true, bigEndian: false };
const PREAMBLE_BYTES = 128;
/** Text longer than this is not a header value. */
const MAX_HEADER_VALUE_BYTES = 16 * 1024;

/** A data set whose file meta information has been read; the reader stands at its first element. */
export interface OpenDataset {
  transferSyntax: string;
  encoding: Encoding;
  /** Where in the file the data set begins, deflated or not: behind preamble and file meta information. */
  start: number;
  reader: ByteReader;
  close(): Promise<void>;
}

/**
 * Opens a DICOM file. Deflated data sets are inflated as they are read, and only as far.
 * Throws {@link DicomFormatError} or TruncatedError when it is not DICOM. Whoever opens it closes it.
 */
export async function openDataset(path: string): Promise<OpenDataset> {
  const file = await open(path, 'r');
  try {
    const reader = new ByteReader(fileFeed(file));
    const transferSyntax = (await readFileMeta(reader)) ?? (await guessTransferSyntax(reader));
    const encoding = {
      explicit: transferSyntax !== IMPLICIT_LITTLE_ENDIAN,
      bigEndian: transferSyntax === EXPLICIT_BIG_ENDIAN,
    };
    const start = reader.position;
    if (transferSyntax !== DEFLATED) {
      return { transferSyntax, encoding, start, reader, close: () => file.close() };
    }
    const compressed = file.createReadStream({ start, autoClose: false });
    const inflated = pipeline(compressed, createInflateRaw(), () => undefined);
    const close = () => {
      inflated.destroy();
      return file.close();
    };
    return { transferSyntax, encoding, start, reader: new ByteReader(streamFeed(inflated)), close };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Opens a DICOM file for as long as `use` runs. Throws {@link DicomFormatError} when the file is damaged. */
export async function withDataset<T>(path: string, use: (dataset: OpenDataset) => Promise<T>): Promise<T> {
  let dataset: OpenDataset | undefined;
  try {
    dataset = await openDataset(path);
    return await use(dataset);
  } catch (error) {
    throw isDamage(error) ? new DicomFormatError((error as Error).message, { cause: error }) : error;
  } finally {
    await dataset?.close();
  }
}

function isDamage(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return error instanceof TruncatedError || (typeof code === 'string' && code.startsWith('Z_'));
}

/**
 * Reads the preamble and the file meta information (PS3.10 7.1), each of which real files lack at times.
 * Returns the transfer syntax, or undefined when there is no meta information.
 */
async function readFileMeta(reader: ByteReader): Promise<string | undefined> {
  const start = await reader.peek(PREAMBLE_BYTES + 4);
  if (start.toString('latin1', PREAMBLE_BYTES) === 'DICM') await reader.skip(PREAMBLE_BYTES + 4);
  let transferSyntax: string | undefined;
  let hasMeta = false;
  while ((await reader.peek(2)).toString('hex') === '0200') {
    hasMeta = true;
    const { tag, length } = await readElementHeader(reader, META_ENCODING);
    if (tag === '00020010' && length <= 64) transferSyntax = uidText(await reader.read(length));
    else await reader.skip(length);
  }
  if (hasMeta && !transferSyntax) throw new DicomFormatError('The file names no transfer syntax');
  return transferSyntax;
}

/** The transfer syntax of a bare data set, from its first element. */
async function guessTransferSyntax(reader: ByteReader): Promise<string> {
  const head = await reader.peek(8);
  const startsLikeDataset = head.length === 8 && [0x0002, 0x0008].includes(head.readUInt16LE(0));
  if (!startsLikeDataset) throw new DicomFormatError('This is not a DICOM file');
  return /^[A-Z]{2}$/.test(head.toString('latin1', 4, 6)) ? EXPLICIT_LITTLE_ENDIAN : IMPLICIT_LITTLE_ENDIAN;
}

function uidText(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/[ \0]+$/, '');
}

export interface Header {
  transferSyntax: string;
  attributes: Attributes;
}

/**
 * Reads chosen attributes (`GGGGEEEE`) of the top level of a file. With `checkWholeFile` every length to the end of
 * the file is checked too; otherwise reading stops when nothing more can come.
 * Throws {@link DicomFormatError}.
 */
export async function readHeader(
  path: string,
  wanted: ReadonlySet<string>,
  { checkWholeFile = false } = {},
): Promise<Header> {
  const last = [...wanted].sort().at(-1) ?? '';
  return withDataset(path, async ({ transferSyntax, encoding, reader }) => {
    const attributes: Attributes = {};
    let readText: TextReader = textReader([]);
    for await (const event of walkDataset(reader, encoding)) {
      if (event.kind !== 'value' || event.depth > 0) continue;
      const { tag, vr, length, bigEndian } = event;
      if (!checkWholeFile && tag > last) break;
      if (isBulk(vr) || length > MAX_HEADER_VALUE_BYTES) continue;
      if (tag === '00080005') readText = characterSetReader(await reader.read(length));
      else if (wanted.has(tag) && !(tag in attributes))
        attributes[tag] = elementOf(vr, await reader.read(length), readText, bigEndian);
    }
    return { transferSyntax, attributes };
  });
}

/** A text reader for the bytes of Specific Character Set (0008,0005). */
export function characterSetReader(bytes: Buffer): TextReader {
  return textReader(bytes.toString('latin1').replace(/\0+$/, '').split('\\'));
}
