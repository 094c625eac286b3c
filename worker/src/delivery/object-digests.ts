import { createHash, type Hash } from 'node:crypto';

/** What identifies the contents of a DICOM object at three depths: the file, its data set, its pixels. */
export interface ObjectDigests {
  file: Buffer;
  /** The file meta information as it stands; undefined when the bytes have none. */
  meta: Buffer | undefined;
  transferSyntaxUid: string | undefined;
  /** Of everything after the file meta information; of the whole where there is none. */
  dataset: Buffer;
  /**
   * Of the value of the pixel data, of compressed ones of the fragments without the Basic Offset Table, which is not
   * pixels and may be written anew (PS3.5 §A.4). Null where there is none, undefined where that cannot be told.
   */
  pixels: Buffer | null | undefined;
}

const META_START = 132;
const GROUP_LENGTH_ELEMENT = 12;
const MOST_META_BYTES = 64 * 1024;
const UNDEFINED_LENGTH = 0xffffffff;
const LONG_LENGTH_VRS = 'OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' ');
/** Float, Double Float and Pixel Data. */
const PIXEL_TAGS = [0x7fe00008, 0x7fe00009, 0x7fe00010];
const ITEM = 0xfffee000;
const ITEM_END = 0xfffee00d;
const SEQUENCE_END = 0xfffee0dd;
/** Encodings the walk cannot read: deflated, and big endian. Their pixels are not compared. */
const UNREADABLE_SYNTAXES = ['1.2.840.10008.1.2.1.99', '1.2.840.10008.1.2.2', '1.2.840.10008.1.2.4.95'];
const IMPLICIT_VR = '1.2.840.10008.1.2';

/** Digests an object in one pass over its bytes, holding no more of it than a header element. */
export async function digestObject(bytes: AsyncIterable<Uint8Array>): Promise<ObjectDigests> {
  const reader = new HashingReader(bytes);
  const hash = reader.hashFromHere();
  const parts = await digestParts(reader);
  await reader.drain();
  const file = hash.digest();
  return {
    file,
    meta: parts.meta,
    transferSyntaxUid: parts.transferSyntaxUid,
    dataset: parts.dataset?.digest() ?? file,
    pixels: parts.pixels,
  };
}

async function digestParts(reader: HashingReader) {
  const none = { meta: undefined, transferSyntaxUid: undefined, dataset: undefined, pixels: undefined };
  const start = await reader.take(META_START + GROUP_LENGTH_ELEMENT);
  if (
    start?.toString('latin1', 128, META_START) !== 'DICM' ||
    start.readUInt32LE(META_START) !== 0x00000002
  ) {
    return none;
  }
  const length = start.readUInt32LE(META_START + 8);
  const elements = length > MOST_META_BYTES ? undefined : await reader.take(length);
  if (!elements) return none;
  const meta = Buffer.concat([start.subarray(META_START), elements]);
  const transferSyntaxUid = findTransferSyntax(elements);
  const dataset = reader.hashFromHere();
  const readable = transferSyntaxUid !== undefined && !UNREADABLE_SYNTAXES.includes(transferSyntaxUid);
  const pixelLength = readable ? await skipToPixels(reader, transferSyntaxUid) : undefined;
  const pixels = typeof pixelLength === 'number' ? await digestPixels(reader, pixelLength) : pixelLength;
  return { meta, transferSyntaxUid, dataset, pixels };
}

async function digestPixels(reader: HashingReader, length: number): Promise<Buffer | undefined> {
  const hash = createHash('sha256');
  if (length !== UNDEFINED_LENGTH) return (await reader.read(length, hash)) ? hash.digest() : undefined;
  for (let fragments = -1; ; fragments += 1) {
    const head = await reader.take(8);
    const tag = head && head.readUInt16LE(0) * 0x10000 + head.readUInt16LE(2);
    if (tag === SEQUENCE_END) return hash.digest();
    if (tag !== ITEM) return undefined;
    const isOffsetTable = fragments < 0;
    if (!(await reader.read(head?.readUInt32LE(4) ?? 0, isOffsetTable ? undefined : hash))) return undefined;
  }
}

function findTransferSyntax(meta: Buffer): string | undefined {
  // (0002,0010) UI, a short length, the value: the tag cannot occur inside another element of the group.
  const at = meta.indexOf(Buffer.from([0x02, 0x00, 0x10, 0x00, 0x55, 0x49]));
  if (at < 0 || at + 8 > meta.length) return undefined;
  return meta.toString('latin1', at + 8, at + 8 + meta.readUInt16LE(at + 6)).replace(/[\0 ]+$/, '');
}

/**
 * Walks over the elements (PS3.5 §7) up to the value of the pixel data.
 *
 * @returns its length as it is written; null when there is none, undefined when the walk does not get to the end
 */
async function skipToPixels(
  reader: HashingReader,
  transferSyntaxUid: string,
): Promise<number | null | undefined> {
  const explicit = transferSyntaxUid !== IMPLICIT_VR;
  let depth = 0;
  for (;;) {
    const head = await reader.take(8);
    if (!head) return depth === 0 ? null : undefined;
    const tag = head.readUInt16LE(0) * 0x10000 + head.readUInt16LE(2);
    let length = head.readUInt32LE(4);
    const isDelimiter = tag === ITEM || tag === ITEM_END || tag === SEQUENCE_END;
    if (explicit && !isDelimiter) {
      const vr = head.toString('latin1', 4, 6);
      if (LONG_LENGTH_VRS.includes(vr)) {
        const long = await reader.take(4);
        if (!long) return undefined;
        length = long.readUInt32LE(0);
        // The contents of such an element are written in implicit VR (PS3.5 §6.2.2 note 4).
        if (vr === 'UN' && length === UNDEFINED_LENGTH) return undefined;
      } else length = head.readUInt16LE(6);
    }
    if (depth === 0 && PIXEL_TAGS.includes(tag)) return length;
    if (length === UNDEFINED_LENGTH) depth += 1;
    else if (tag === ITEM_END || tag === SEQUENCE_END) depth -= 1;
    else if (!(await reader.read(length))) return undefined;
  }
}

/** Hands out a stream of bytes piece by piece and feeds hashes: of a part, or from a position to the end. */
class HashingReader {
  private readonly source: AsyncIterator<Uint8Array>;
  private readonly hashes: Hash[] = [];
  private held: Buffer = Buffer.alloc(0);

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.source = bytes[Symbol.asyncIterator]();
  }

  hashFromHere(): Hash {
    const hash = createHash('sha256').update(this.held);
    this.hashes.push(hash);
    return hash;
  }

  private async pull(): Promise<boolean> {
    const { value, done } = await this.source.next();
    if (done) return false;
    for (const hash of this.hashes) hash.update(value);
    this.held = this.held.length === 0 ? view(value) : Buffer.concat([this.held, value]);
    return true;
  }

  /** Exactly `length` bytes, or undefined when the object ends before. */
  async take(length: number): Promise<Buffer | undefined> {
    while (this.held.length < length) if (!(await this.pull())) return undefined;
    const taken = this.held.subarray(0, length);
    this.held = this.held.subarray(length);
    return taken;
  }

  /**
   * Goes over `length` bytes.
   *
   * @param hash - fed with them
   * @returns false when the object ends before
   */
  async read(length: number, hash?: Hash): Promise<boolean> {
    let left = length;
    while (this.held.length < left) {
      hash?.update(this.held);
      left -= this.held.length;
      this.held = Buffer.alloc(0);
      if (!(await this.pull())) return false;
    }
    hash?.update(this.held.subarray(0, left));
    this.held = this.held.subarray(left);
    return true;
  }

  async drain(): Promise<void> {
    do this.held = Buffer.alloc(0);
    while (await this.pull());
  }
}

const view = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * `same`: nothing of what was accepted is missing in the PACS. `rewritten`: the pixels are the same, the header was
 * written anew, as a PACS that keeps its own patient data does. `incomparable`: nothing can be said.
 */
export type Comparison = 'same' | 'rewritten' | 'different' | 'incomparable';

/** Compares what the PACS hands out with what we would send. */
export function compareObjects(ours: ObjectDigests, theirs: ObjectDigests): Comparison {
  if (ours.file.equals(theirs.file)) return 'same';
  const sameSyntax = ours.transferSyntaxUid === theirs.transferSyntaxUid;
  if ((sameSyntax || !ours.meta) && ours.dataset.equals(theirs.dataset)) return 'same';
  // Stored in another transfer syntax: the bytes have to differ.
  if (!sameSyntax) return 'incomparable';
  // A PACS that writes objects anew puts its own name into the file meta information.
  if (!ours.meta || theirs.meta?.equals(ours.meta)) return 'different';
  if (ours.pixels === undefined || theirs.pixels === undefined) return 'incomparable';
  if (ours.pixels === null || theirs.pixels === null) {
    return ours.pixels === theirs.pixels ? 'incomparable' : 'different';
  }
  return theirs.pixels.equals(ours.pixels) ? 'rewritten' : 'different';
}
