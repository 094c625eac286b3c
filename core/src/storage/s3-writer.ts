import { setTimeout as delay } from 'node:timers/promises';
import type { BufferBudget, BufferHolder } from './buffer-budget.js';
import type { Segment, SegmentWriter, WriterOptions } from './object-storage.js';
import { newSegmentKey } from './segment-key.js';

export interface S3WriterOptions extends WriterOptions {
  budget: BufferBudget;
  /** Bytes that are gathered for one object. */
  objectBytes: number;
  /** Stores one object, with one request. */
  put(key: string, body: Uint8Array, signal: AbortSignal): Promise<void>;
  remove(keys: readonly string[]): Promise<void>;
}

/** An object of ours that nobody was told of yet. */
interface Piece extends Segment {
  /** Undefined once it is stored. */
  body: Uint8Array | undefined;
  /** While it is on its way. */
  put: Promise<void> | undefined;
  /** Nobody wants it any more. */
  dropped: boolean;
}

/** Time for objects that are on their way to arrive, so that they can be removed. */
const ARRIVE_WITHIN_MS = 5_000;
const REMOVE_WITHIN_MS = 1_000;

/**
 * Gathers bytes in memory and stores them as objects that are never written to again. One object may be on its way while
 * the next is gathered.
 */
export class S3Writer implements SegmentWriter, BufferHolder {
  private readonly options: S3WriterOptions;
  private chunks: Uint8Array[] = [];
  private buffered = 0;
  /** Where the first of the buffered bytes goes in the file. */
  private offset: number;
  private synced: number;
  private pieces: Piece[] = [];
  private abort = new AbortController();
  private queue: Promise<unknown> = Promise.resolve();

  constructor(options: S3WriterOptions) {
    this.options = options;
    this.offset = options.offset;
    this.synced = options.offset;
  }

  append(chunks: readonly Uint8Array[]): Promise<void> {
    return this.inTurn(async () => {
      const { budget, objectBytes } = this.options;
      const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      if (length === 0) return;
      if (this.buffered + length >= objectBytes) await this.store();
      while (!budget.take(this, length)) await budget.room();
      this.chunks.push(...chunks);
      this.buffered += length;
      if (this.buffered >= objectBytes) this.spill();
      budget.relieve();
    });
  }

  sync(): Promise<Segment[]> {
    return this.inTurn(async () => {
      this.spill();
      await this.store();
      this.synced = this.offset;
      return this.pieces.splice(0).map(({ start, key }) => ({ start, key }));
    });
  }

  discard(): Promise<void> {
    return this.inTurn(() => this.drop());
  }

  close(): Promise<void> {
    return this.inTurn(async () => {
      await this.drop();
      this.options.budget.forget(this);
    });
  }

  get held(): number {
    const failed = this.pieces.filter(({ put }) => put === undefined);
    return failed.reduce((sum, { body }) => sum + (body?.length ?? 0), this.buffered);
  }

  /** Sends everything there is on its way. What fails stays in memory and is sent again by the next call. */
  spill(): void {
    if (this.buffered > 0) {
      const [first] = this.chunks;
      const body = first && this.chunks.length === 1 ? first : Buffer.concat(this.chunks, this.buffered);
      const key = newSegmentKey(this.options.fileId);
      this.pieces.push({ start: this.offset, key, body, put: undefined, dropped: false });
      this.offset += this.buffered;
      this.buffered = 0;
      this.chunks = [];
    }
    this.sendPieces();
  }

  /** One thing at a time, so that bytes keep their order. */
  private inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.queue.then(action);
    this.queue = result.catch(() => {});
    return result;
  }

  /** Resolves when every object begun is stored. */
  private async store(): Promise<void> {
    this.sendPieces();
    const results = await Promise.allSettled(this.pieces.map(({ put }) => put));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  private sendPieces(): void {
    for (const piece of this.pieces) {
      if (piece.put || !piece.body) continue;
      piece.put = this.send(piece, piece.body);
      // Whoever needs the object asks for it again.
      piece.put.catch(() => {});
    }
  }

  private async send(piece: Piece, body: Uint8Array): Promise<void> {
    const { budget, put } = this.options;
    const { signal } = this.abort;
    budget.sent(body.length);
    try {
      await put(piece.key, body, signal);
      piece.body = undefined;
      budget.arrived(body.length);
    } catch (reason) {
      if (piece.dropped) budget.arrived(body.length);
      else budget.failed(body.length, reason);
      throw reason;
    } finally {
      piece.put = undefined;
    }
  }

  private async drop(): Promise<void> {
    const { budget, remove } = this.options;
    budget.give(this.buffered);
    this.buffered = 0;
    this.chunks = [];
    this.offset = this.synced;
    const dropped = this.pieces.splice(0);
    if (dropped.length === 0) return;
    for (const piece of dropped) {
      piece.dropped = true;
      if (!piece.put && piece.body) budget.give(piece.body.length);
    }
    const { abort } = this;
    this.abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), ARRIVE_WITHIN_MS);
    await Promise.allSettled(dropped.map(({ put }) => put));
    clearTimeout(timer);
    // What stays behind is found by its age: no segment was recorded for it. A client that waits for the answer is not
    // held up by a service that does not remove.
    const removal = remove(dropped.map(({ key }) => key)).catch(() => {});
    await Promise.race([removal, delay(REMOVE_WITHIN_MS, undefined, { ref: false })]);
  }
}
