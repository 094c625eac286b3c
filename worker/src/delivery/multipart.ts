import { createHash, randomUUID } from 'node:crypto';
import type { StreamOptions } from '@relaypacs/core/storage/object-storage.js';

/** One DICOM object of a STOW-RS request. */
export interface StowPart {
  sopInstanceUid: string;
  /** Bytes. */
  size: number;
  /** What the bytes must add up to: the digest taken when they were accepted. */
  sha256: Uint8Array;
  /** A new stream of the bytes; its chunks may be lent ({@link StreamOptions}). */
  open(): AsyncIterable<Uint8Array>;
}

/** The bytes read back from storage are not the ones that were accepted, or are gone. */
export class StoredBytesDamaged extends Error {
  readonly sopInstanceUid: string;
  constructor(sopInstanceUid: string, cause?: unknown) {
    super('The stored bytes of an instance are not the ones that were accepted', { cause });
    this.name = 'StoredBytesDamaged';
    this.sopInstanceUid = sopInstanceUid;
  }
}

/** The body of a STOW-RS request (PS3.18 §10.5.1, RFC 2046 §5.1) and its headers, ready to be streamed. */
export interface StowBody {
  contentType: string;
  /** Exact, in bytes: Orthanc is seven times slower without a Content-Length, and never ends at 2 GB. */
  length: number;
  /** As lent as those of the parts. */
  chunks: AsyncIterable<Uint8Array>;
}

/** @param onTaken - called with each chunk that is asked for: what came before it was taken */
export function stowBody(parts: readonly StowPart[], onTaken: () => void = () => {}): StowBody {
  const boundary = randomUUID();
  // Without parameters: with `transfer-syntax` Orthanc answers 200 and stores nothing.
  const head = Buffer.from(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`);
  const tail = Buffer.from('\r\n');
  const end = Buffer.from(`--${boundary}--\r\n`);
  const framing = parts.length * (head.length + tail.length) + end.length;
  async function* chunks() {
    for (const part of parts) {
      yield head;
      yield* checked(part, onTaken);
      yield tail;
    }
    yield end;
  }
  return {
    contentType: `multipart/related; type="application/dicom"; boundary=${boundary}`,
    length: parts.reduce((sum, part) => sum + part.size, framing),
    chunks: chunks(),
  };
}

/**
 * The part's bytes. They are checked before the delimiter that would complete the part: a PACS never gets a whole
 * object that is not the one we accepted.
 */
async function* checked(part: StowPart, onTaken: () => void): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let left = part.size;
  for await (const chunk of part.open()) {
    left -= chunk.length;
    if (left < 0) break;
    hash.update(chunk);
    yield chunk;
    onTaken();
  }
  if (left !== 0 || !hash.digest().equals(part.sha256)) throw new StoredBytesDamaged(part.sopInstanceUid);
}

/** An answer that is not the multipart message it says it is. */
export class MalformedMultipart extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedMultipart';
  }
}

const MOST_HEADER_BYTES = 64 * 1024;

/** The boundary of a multipart Content-Type; undefined for any other type. */
export function boundaryOf(contentType: string | undefined): string | undefined {
  if (!/^\s*multipart\//i.test(contentType ?? '')) return undefined;
  const match = /;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType ?? '');
  return match?.[1] ?? match?.[2];
}

/**
 * The content of the first part of a multipart body, as it streams in.
 *
 * @throws MalformedMultipart when the body ends before the part does
 */
export async function* firstPart(
  body: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<Uint8Array> {
  const opening = Buffer.from(`--${boundary}`);
  const closing = Buffer.from(`\r\n--${boundary}`);
  let inside = false;
  let complete = false;
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    if (complete) continue; // Read to its end, so that the connection can be used again.
    held = Buffer.concat([held, chunk]);
    if (!inside) {
      const opened = held.indexOf(opening);
      const headersEnd = opened < 0 ? -1 : held.indexOf('\r\n\r\n', opened);
      if (headersEnd < 0) {
        if (held.length > MOST_HEADER_BYTES) throw new MalformedMultipart('The multipart answer has no part');
        continue;
      }
      inside = true;
      held = held.subarray(headersEnd + 4);
    }
    const end = held.indexOf(closing);
    if (end >= 0) {
      yield held.subarray(0, end);
      complete = true;
      continue;
    }
    // The tail may be the beginning of the delimiter.
    const safe = Math.max(0, held.length - closing.length + 1);
    if (safe > 0) yield held.subarray(0, safe);
    held = held.subarray(safe);
  }
  if (!complete) throw new MalformedMultipart('The multipart answer ends in the middle');
}
