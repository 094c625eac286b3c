import { createHash, type Hash } from 'node:crypto';

/** What identifies the contents of a DICOM object at three depths: the file, its data set, its pixels. */
export interface ObjectDigests {
  file: Buffer;
  /** The file meta information as it stands; undefined when the bytes have none. */
  meta: Buffer | undefined;
  transferSyntaxUid: string | undefined;
  /** Of everything after the file meta information; of the whole where there is none. */
  dataset: Buffer;
  /** Bytes of the file. */
  size: number;
  /**
   * How far its elements can be followed: to the value of the pixel data, or to the end where there is none. `broken`:
   * it ends before, or is not DICOM at all; `unreadable`: in an encoding that is not followed here.
   */
  walk: 'whole' | 'broken' | 'unreadable';
  /** The last element of an object without pixel data, private ones and padding left out; 0 where there is none. */
  lastTag: number;
  /**
   * Of the value of the pixel data, of compressed ones of the fragments without the Basic Offset Table, which is not
   * pixels and may be written anew (PS3.5 §A.4). Null where there is none or an empty one, undefined where that cannot
   * be told.
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
/** Data Set Trailing Padding: may be left out by whoever writes the object anew. */
const PADDING = 0xfffcfffc;

/**
 * Digests an object in one pass over its bytes, holding no more of it than a header element.
 *
 * @param onChunk - called with each chunk that comes
 */
export async function digestObject(
  bytes: AsyncIterable<Uint8Array>,
  onChunk: () => void = () => {},
): Promise<ObjectDigests> {
  const reader = new HashingReader(bytes, onChunk);
  const hash = reader.hashFromHere();
  const parts = await digestParts(reader);
  await reader.drain();
  const file = hash.digest();
  return {
    file,
    ...parts,
    dataset: parts.dataset?.digest() ?? file,
    size: reader.size,
  };
}

/** What a walk over the data set finds. */
type Walked = Pick<ObjectDigests, 'walk' | 'lastTag' | 'pixels'>;

const BROKEN: Walked = { walk: 'broken', lastTag: 0, pixels: undefined };
const UNREADABLE: Walked = { walk: 'unreadable', lastTag: 0, pixels: undefined };

async function digestParts(reader: HashingReader) {
  const none = { ...BROKEN, meta: undefined, transferSyntaxUid: undefined, dataset: undefined };
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
  const walked = readable ? await walkDataset(reader, transferSyntaxUid) : UNREADABLE;
  return { meta, transferSyntaxUid, dataset, ...walked };
}

/** @param length - of the value as it is written */
async function walkPixels(reader: HashingReader, length: number): Promise<Walked> {
  const hash = createHash('sha256');
  const found = (bytes: number): Walked => ({
    walk: 'whole',
    lastTag: 0,
    pixels: bytes > 0 ? hash.digest() : null,
  });
  if (length !== UNDEFINED_LENGTH) return (await reader.read(length, hash)) ? found(length) : BROKEN;
  let bytes = 0;
  for (let isOffsetTable = true; ; isOffsetTable = false) {
    const head = await reader.take(8);
    const tag = head && head.readUInt16LE(0) * 0x10000 + head.readUInt16LE(2);
    if (tag === SEQUENCE_END) return found(bytes);
    const fragment = head?.readUInt32LE(4) ?? 0;
    if (tag !== ITEM || !(await reader.read(fragment, isOffsetTable ? undefined : hash))) return BROKEN;
    if (!isOffsetTable) bytes += fragment;
  }
}

function findTransferSyntax(meta: Buffer): string | undefined {
  // (0002,0010) UI, a short length, the value: the tag cannot occur inside another element of the group.
  const at = meta.indexOf(Buffer.from([0x02, 0x00, 0x10, 0x00, 0x55, 0x49]));
  if (at < 0 || at + 8 > meta.length) return undefined;
  return meta.toString('latin1', at + 8, at + 8 + meta.readUInt16LE(at + 6)).replace(/[\0 ]+$/, '');
}

/** Walks over the elements (PS3.5 §7) up to the end of the pixel data. */
async function walkDataset(reader: HashingReader, transferSyntaxUid: string): Promise<Walked> {
  const explicit = transferSyntaxUid !== IMPLICIT_VR;
  let depth = 0;
  // The contents of UN of undefined length are written in implicit VR (PS3.5 §6.2.2 note 4).
  let implicitAbove = Number.POSITIVE_INFINITY;
  let lastTag = 0;
  for (;;) {
    const head = await reader.take(8);
    if (!head) return depth === 0 && reader.isAtEnd ? { walk: 'whole', lastTag, pixels: null } : BROKEN;
    const tag = head.readUInt16LE(0) * 0x10000 + head.readUInt16LE(2);
    let length = head.readUInt32LE(4);
    const isDelimiter = tag === ITEM || tag === ITEM_END || tag === SEQUENCE_END;
    if (explicit && !isDelimiter && depth <= implicitAbove) {
      const vr = head.toString('latin1', 4, 6);
      if (LONG_LENGTH_VRS.includes(vr)) {
        const long = await reader.take(4);
        if (!long) return BROKEN;
        length = long.readUInt32LE(0);
        if (vr === 'UN' && length === UNDEFINED_LENGTH) implicitAbove = depth;
      } else length = head.readUInt16LE(6);
    }
    if (depth === 0 && PIXEL_TAGS.includes(tag)) return walkPixels(reader, length);
    if (depth === 0 && tag !== PADDING && !isPrivate(tag)) lastTag = tag;
    if (length === UNDEFINED_LENGTH) depth += 1;
    else if (tag === ITEM_END || tag === SEQUENCE_END) {
      depth -= 1;
      if (depth < 0) return BROKEN;
      if (depth <= implicitAbove) implicitAbove = Number.POSITIVE_INFINITY;
    } else if (!(await reader.read(length))) return BROKEN;
  }
}

const isPrivate = (tag: number) => Math.floor(tag / 0x10000) % 2 === 1;

/** Hands out a stream of bytes piece by piece and feeds hashes: of a part, or from a position to the end. */
class HashingReader {
  private readonly source: AsyncIterator<Uint8Array>;
  private readonly onChunk: () => void;
  private readonly hashes: Hash[] = [];
  private held: Buffer = Buffer.alloc(0);
  /** Bytes that were pulled so far. */
  size = 0;

  constructor(bytes: AsyncIterable<Uint8Array>, onChunk: () => void) {
    this.source = bytes[Symbol.asyncIterator]();
    this.onChunk = onChunk;
  }

  hashFromHere(): Hash {
    const hash = createHash('sha256').update(this.held);
    this.hashes.push(hash);
    return hash;
  }

  private async pull(): Promise<boolean> {
    const { value, done } = await this.source.next();
    if (done) return false;
    this.onChunk();
    this.size += value.length;
    for (const hash of this.hashes) hash.update(value);
    this.held = this.held.length === 0 ? view(value) : Buffer.concat([this.held, value]);
    return true;
  }

  /** After a take that found too few bytes: there were none at all. */
  get isAtEnd(): boolean {
    return this.held.length === 0;
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
 * written anew, as a PACS that keeps its own patient data does. `different`: also damaged, cut off or no DICOM object.
 * `incomparable`: a whole object, of which no more can be said.
 */
export type Comparison = 'same' | 'rewritten' | 'different' | 'incomparable';

/** Compares what the PACS hands out with what we would send. */
export function compareObjects(ours: ObjectDigests, theirs: ObjectDigests): Comparison {
  if (ours.file.equals(theirs.file)) return 'same';
  const sameSyntax = ours.transferSyntaxUid === theirs.transferSyntaxUid;
  if ((sameSyntax || !ours.meta) && ours.dataset.equals(theirs.dataset)) return 'same';
  // A web page, nothing at all, or an object that ends in the middle: whatever else it is, it is not what was sent.
  if (!theirs.meta || (theirs.walk === 'broken' && ours.walk !== 'broken')) return 'different';
  const lostPixels = isBuffer(ours.pixels) && theirs.pixels === null;
  const gainedPixels = ours.pixels === null && isBuffer(theirs.pixels);
  if (lostPixels || gainedPixels) return 'different';
  // Stored in another transfer syntax: the bytes have to differ.
  if (!sameSyntax) return isCutShort(ours, theirs) ? 'different' : 'incomparable';
  // A PACS that writes objects anew puts its own name into the file meta information.
  if (!ours.meta || theirs.meta.equals(ours.meta)) return 'different';
  if (isBuffer(ours.pixels) && isBuffer(theirs.pixels)) {
    return theirs.pixels.equals(ours.pixels) ? 'rewritten' : 'different';
  }
  // What cannot be followed can still be missed at its end.
  const isShorter = ours.pixels === undefined && theirs.size < ours.size;
  return isShorter || isCutShort(ours, theirs) ? 'different' : 'incomparable';
}

const isBuffer = (digest: Buffer | null | undefined): digest is Buffer => Buffer.isBuffer(digest);

/** Without pixels to tell, an object may end between two elements: it lacks the last one, then. */
function isCutShort(ours: ObjectDigests, theirs: ObjectDigests): boolean {
  return ours.pixels === null && theirs.pixels === null && theirs.lastTag < ours.lastTag;
}
