import type { CapturedValue, PixelDataPlace } from './captured.js';
import type { ElementHeader } from './element-header.js';
import {
  DELIMITER_GROUP,
  isPlausible,
  MAX_HEADER_BYTES,
  readElementHeader,
  readTag,
  UNDEFINED_LENGTH,
} from './element-header.js';
import type { Encoding } from './encoding.js';
import { EXPLICIT_LITTLE, IMPLICIT_LITTLE, isKnownVr } from './encoding.js';
import type { FindingCode, FindingList } from './findings.js';
import { ScanRejection } from './findings.js';
import { walkFragments } from './fragments.js';
import type { ScanLimits } from './limits.js';
import type { ReadWindow } from './read-window.js';
import type { ScanClock } from './scan-clock.js';
import { IDENTITY_TAGS, PIXEL_TAGS, TAG } from './tags.js';

/** A data set, sequence or item that is being walked. */
interface Frame {
  kind: 'dataset' | 'sequence' | 'item';
  /** Offset that must not be passed: the defined end, or that of the surrounding frame. */
  limit: number;
  undefinedLength: boolean;
  encoding: Encoding;
  /** Levels of sequences, this one included. */
  depth: number;
  /** Taken for a sequence by its first bytes: nothing says in which encoding its items are. */
  guessed: boolean;
}

export interface WalkOptions {
  window: ReadWindow;
  /** Offset of the first data element. */
  start: number;
  encoding: Encoding;
  /** Tags of the outermost level whose values are kept. */
  wanted: ReadonlySet<number>;
  /** Stop in front of the first element of another group: for the File Meta Information. */
  onlyGroup?: number;
  /** Tags of elements to be inserted, in ascending order: their places are noted in `insertionPoints`. */
  insertions?: readonly number[];
  findings: FindingList;
  limits: ScanLimits;
  clock: ScanClock;
}

/**
 * Walks the data elements of one data set with a stack of its own (no recursion), seeking past every value it
 * was not asked for. It follows each nested sequence, as readers behind us recurse into them, and checks that
 * everything lies within what surrounds it (PS3.5 §7.1, §7.5).
 */
export class DatasetWalker {
  readonly values = new Map<number, CapturedValue>();
  /** Where an element of each of the tags in `insertions` belongs: in front of the first one with a greater tag. */
  readonly insertionPoints = new Map<number, number>();
  pixelData: PixelDataPlace | undefined;
  /** Offset of the next data element. */
  position: number;
  elements = 0;
  /** Deepest level of sequences met. */
  depth = 0;
  /** The whole data set was walked. */
  complete = false;
  readonly #options: WalkOptions;
  readonly #window: ReadWindow;
  readonly #frames: Frame[] = [];
  #lastTag = -1;
  #nextInsertion: number;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#window = options.window;
    this.#nextInsertion = options.insertions?.[0] ?? Number.POSITIVE_INFINITY;
    this.position = options.start;
    this.#frames.push({
      kind: 'dataset',
      limit: options.window.size,
      undefinedLength: false,
      encoding: options.encoding,
      depth: 0,
      guessed: false,
    });
  }

  /** @throws ScanRejection at the first fault that makes the rest unreadable; what was read before is kept. */
  async walk(): Promise<void> {
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
      if (this.position >= frame.limit) {
        if (frame.undefinedLength) this.#damaged(this.#beyond(frame));
        else this.#frames.pop();
        continue;
      }
      if (!this.#window.has(this.position, MAX_HEADER_BYTES)) {
        await this.#window.load(this.position, MAX_HEADER_BYTES);
      }
      if (frame.limit - this.position < 8) {
        await this.#tail(frame);
        continue;
      }
      this.#count();
      const header = readElementHeader(this.#window, this.position, frame.limit, frame.encoding);
      if (header === undefined) this.#damaged(this.#beyond(frame));
      const group = header.tag >>> 16;
      const { onlyGroup } = this.#options;
      if (onlyGroup !== undefined && this.#frames.length === 1 && group !== onlyGroup) break;
      const pending =
        frame.kind === 'sequence'
          ? this.#item(frame, header)
          : group === DELIMITER_GROUP
            ? this.#delimiter(frame, header.tag)
            : this.#element(frame, header);
      if (pending !== undefined) await pending;
    }
    this.complete = true;
  }

  #count(): void {
    this.elements += 1;
    if (this.elements > this.#options.limits.maxElements) {
      throw new ScanRejection('TOO_MANY_ELEMENTS', { offset: this.position });
    }
    if (this.elements % 1024 === 0) this.#options.clock.check();
  }

  /** Why something does not fit into a frame: the file is cut off, or a length inside of it is wrong. */
  #beyond(frame: Frame): FindingCode {
    return frame.limit === this.#window.size ? 'ELEMENT_BEYOND_END' : 'MALFORMED_STRUCTURE';
  }

  /**
   * There is no recovery: a reader that goes on where we would skip ahead may be nested deeper than we believe. (A
   * chain of items longer than their sequences, in private elements, got past a forgiving walk and crashed Orthanc.)
   */
  #damaged(code: FindingCode, tag?: number): never {
    throw new ScanRejection(code, { tag, offset: this.position });
  }

  #element(frame: Frame, { tag, vr, length, headerBytes }: ElementHeader): Promise<void> | undefined {
    const { findings, limits, wanted } = this.#options;
    const at = this.position;
    const value = at + headerBytes;
    const outermost = this.#frames.length === 1;
    if (outermost && tag === 0 && length === 0) {
      findings.add('TRAILING_ZEROS', { offset: at });
      this.position = value;
      return undefined;
    }
    if (outermost) this.#checkOrder(tag);
    if (frame.encoding.explicitVr && !isKnownVr(vr)) findings.add('UNKNOWN_VR', { tag, offset: at });
    if (length === UNDEFINED_LENGTH) return this.#undefinedLength(frame, tag, vr, value);
    if (length > frame.limit - value) return this.#damaged(this.#beyond(frame), tag);
    if (vr === 'SQ') {
      this.#openSequence(frame, value, value + length, false, frame.encoding, frame.guessed);
      return undefined;
    }
    const isPixels = PIXEL_TAGS.has(tag);
    if (outermost && isPixels) this.#placeNativePixels(tag, at, value, length);
    const captured = outermost && wanted.has(tag);
    if (captured && length > limits.maxValueBytes) {
      findings.add('VALUE_TOO_LONG', { tag, attribute: IDENTITY_TAGS.get(tag), offset: at });
    } else if (captured) {
      return this.#whenLoaded(value, length, () => this.#capture(frame, tag, vr, value, length));
    } else if (this.#mayBeSequence(frame, vr) && !isPixels && length >= 8) {
      return this.#whenLoaded(value, 8, () => this.#probe(frame, tag, vr, value, length));
    }
    this.position = value + length;
    return undefined;
  }

  /** Runs `step` at once when the bytes it needs are in the window, else as soon as they are. */
  #whenLoaded(offset: number, length: number, step: () => void): Promise<void> | undefined {
    if (!this.#window.has(offset, length)) return this.#window.load(offset, length).then(step);
    step();
    return undefined;
  }

  #checkOrder(tag: number): void {
    if (tag === this.#lastTag) {
      this.#options.findings.add('DUPLICATE_ELEMENT', { tag, offset: this.position });
    } else if (tag < this.#lastTag) {
      this.#options.findings.add('ELEMENT_ORDER', { offset: this.position });
    }
    this.#lastTag = tag;
    if (tag > this.#nextInsertion) this.#noteInsertions(tag);
  }

  #noteInsertions(tag: number): void {
    const { insertions = [] } = this.#options;
    for (const inserted of insertions) {
      if (inserted < tag && !this.insertionPoints.has(inserted)) {
        this.insertionPoints.set(inserted, this.position);
      }
    }
    this.#nextInsertion = insertions[this.insertionPoints.size] ?? Number.POSITIVE_INFINITY;
  }

  #placeNativePixels(tag: number, elementOffset: number, offset: number, length: number): void {
    if (this.pixelData !== undefined) return; // a repetition: the first one counts, as in DCMTK
    this.pixelData = {
      tag,
      elementOffset,
      offset,
      length,
      encapsulated: false,
      end: offset + length,
    };
  }

  #undefinedLength(frame: Frame, tag: number, vr: string, value: number): Promise<void> | undefined {
    const { explicitVr } = frame.encoding;
    // PS3.5 §A.4: of all OB and OW, only Pixel Data is ever made of fragments.
    if (tag === TAG.pixelData && (vr === 'OB' || vr === 'OW' || !explicitVr)) {
      return this.#fragments(frame, tag, value);
    }
    if (explicitVr && vr !== 'SQ' && vr !== 'UN') return this.#damaged('MALFORMED_STRUCTURE', tag);
    // PS3.5 §6.2.2: a UN of undefined length is a sequence in implicit little endian, whatever surrounds it.
    const encoding = vr === 'UN' ? IMPLICIT_LITTLE : frame.encoding;
    this.#openSequence(frame, value, frame.limit, true, encoding, vr === 'SQ' && frame.guessed);
    return undefined;
  }

  async #fragments(frame: Frame, tag: number, offset: number): Promise<void> {
    const { limits, clock } = this.#options;
    const { littleEndian } = frame.encoding;
    const walk = await walkFragments(this.#window, offset, frame.limit, littleEndian, limits, clock);
    if (this.#frames.length === 1) {
      this.pixelData ??= {
        tag,
        elementOffset: this.position,
        offset,
        length: 'undefined',
        encapsulated: true,
        end: walk.end,
        fragments: walk.fragments,
        fragmentBytes: walk.bytes,
      };
    }
    this.position = walk.end;
  }

  #openSequence(
    parent: Frame,
    start: number,
    limit: number,
    undefinedLength: boolean,
    encoding: Encoding,
    guessed: boolean,
  ): void {
    const depth = parent.depth + 1;
    if (depth > this.#options.limits.maxDepth) {
      throw new ScanRejection('NESTING_TOO_DEEP', { offset: this.position });
    }
    this.depth = Math.max(this.depth, depth);
    this.#frames.push({ kind: 'sequence', limit, undefinedLength, encoding, depth, guessed });
    this.position = start;
  }

  /**
   * In implicit VR, and in a UN of defined length, only a dictionary could tell a sequence from another value, and
   * readers that have one recurse into it. What begins with an item is walked as a sequence, so that no level of
   * nesting escapes the count.
   */
  #mayBeSequence(frame: Frame, vr: string): boolean {
    return vr === '' || vr === 'UN' || frame.guessed;
  }

  #probe(frame: Frame, tag: number, vr: string, value: number, length: number): void {
    if (readTag(this.#window, value, true) !== TAG.item) {
      this.position = value + length;
    } else if (vr !== '' && vr !== 'UN') {
      // A value with another VR that begins with an item, where a reader without our guess sees no VR at all.
      this.#damaged('MALFORMED_STRUCTURE', tag);
    } else {
      const isPrivate = ((tag >>> 16) & 1) === 1;
      this.#openSequence(frame, value, value + length, false, IMPLICIT_LITTLE, isPrivate || vr === 'UN');
    }
  }

  #capture(frame: Frame, tag: number, vr: string, value: number, length: number): void {
    const { findings } = this.#options;
    const offset = this.position;
    const bytes = this.#window.copy(value, length);
    const earlier = this.values.get(tag);
    if (earlier === undefined) {
      this.values.set(tag, { bytes, vr, littleEndian: frame.encoding.littleEndian, offset });
    } else {
      // DCMTK keeps the first of two, pydicom the last: with two identities nobody knows whose image it is.
      findings.add('DUPLICATE_ELEMENT', { tag, offset });
      const attribute = IDENTITY_TAGS.get(tag);
      const same =
        bytes.length === earlier.bytes.length && bytes.every((byte, i) => byte === earlier.bytes[i]);
      if (attribute !== undefined && !same) findings.add('AMBIGUOUS_UID', { tag, attribute, offset });
    }
    this.position = value + length;
  }

  #item(sequence: Frame, { tag, length }: ElementHeader): Promise<void> | undefined {
    const { depth, guessed } = sequence;
    const value = this.position + 8;
    if (tag === TAG.sequenceDelimitation) {
      if (sequence.undefinedLength) this.#frames.pop();
      else this.#options.findings.add('STRAY_DELIMITER', { offset: this.position });
      this.position = value;
      return undefined;
    }
    const undefinedLength = length === UNDEFINED_LENGTH;
    if (tag !== TAG.item) this.#damaged('MALFORMED_STRUCTURE', tag);
    if (!undefinedLength && length > sequence.limit - value) this.#damaged(this.#beyond(sequence), tag);
    const limit = undefinedLength ? sequence.limit : value + length;
    const open = () => {
      const encoding = guessed ? this.#guessEncoding(value, limit) : sequence.encoding;
      this.#frames.push({ kind: 'item', limit, undefinedLength, encoding, depth, guessed });
      this.position = value;
    };
    if (guessed) return this.#whenLoaded(value, MAX_HEADER_BYTES, open);
    open();
    return undefined;
  }

  /** PS3.5 §6.2.2 wants implicit VR here, but some writers (Philips MR) put explicit VR into private sequences. */
  #guessEncoding(offset: number, limit: number): Encoding {
    const implicit = isPlausible(this.#window, offset, limit, IMPLICIT_LITTLE);
    return !implicit && isPlausible(this.#window, offset, limit, EXPLICIT_LITTLE)
      ? EXPLICIT_LITTLE
      : IMPLICIT_LITTLE;
  }

  #delimiter(frame: Frame, tag: number): undefined {
    if (tag !== TAG.itemDelimitation) this.#damaged('MALFORMED_STRUCTURE', tag);
    if (frame.undefinedLength) this.#frames.pop();
    else this.#options.findings.add('STRAY_DELIMITER', { offset: this.position });
    this.position += 8;
  }

  /** Fewer bytes than a data element needs: padding when they are empty, else a cut. */
  async #tail(frame: Frame): Promise<void> {
    if (frame.kind !== 'dataset') return this.#damaged('MALFORMED_STRUCTURE');
    for (let offset = this.position; offset < frame.limit; offset += 1) {
      if (this.#window.byteAt(offset) !== 0) throw new ScanRejection('ELEMENT_BEYOND_END', { offset });
    }
    this.#options.findings.add('TRAILING_BYTES', { offset: this.position });
    this.position = frame.limit;
  }
}
