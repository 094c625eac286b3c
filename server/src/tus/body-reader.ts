import type { IncomingMessage } from 'node:http';

/** Bytes of one request that may lie in memory until they are written. */
const MOST_BUFFERED = 256 * 1024;
/** Worth a write of its own; a slow sender's bytes do not wait longer than this for more. */
const BATCH_BYTES = 128 * 1024;
const GATHER_MS = 50;
/** For bytes that have reached the machine when a request is told to stop. */
const LAST_CALL_MS = 25;

/**
 * How a body ended: whole; because the connection broke; because another request or the end of the server wanted the
 * file; because nothing came any more.
 */
export type BodyEnd = 'complete' | 'broken' | 'stopped' | 'idle';

/**
 * Reads a request's body straight from the connection, in batches as they come, with back-pressure and without any
 * stream in between. Whatever ends it, every byte that arrived before is handed out.
 */
export class BodyReader {
  private readonly req: IncomingMessage;
  private readonly idleMs: number;
  private chunks: Buffer[] = [];
  private buffered = 0;
  private total = 0;
  private end: BodyEnd | undefined;
  private wake: (() => void) | undefined;
  private idle: NodeJS.Timeout | undefined;
  private lastCall: NodeJS.Timeout | undefined;
  private gathering: NodeJS.Timeout | undefined;
  /** The first of the chunks has waited long enough. */
  private gathered = false;
  private started = false;

  /** @param idleMs - silence after which the body counts as ended */
  constructor(req: IncomingMessage, idleMs: number) {
    this.req = req;
    this.idleMs = idleMs;
  }

  /** Undefined while it is being read. */
  get ending(): BodyEnd | undefined {
    return this.end;
  }

  /** Bytes that have arrived. */
  get received(): number {
    return this.total;
  }

  /** Ends it with what is here. */
  stop(): void {
    if (this.end || this.lastCall) return;
    if (!this.started) {
      this.finish('stopped');
      return;
    }
    this.req.resume();
    this.lastCall = setTimeout(() => this.finish('stopped'), LAST_CALL_MS);
  }

  /** Nobody will ask for the rest. */
  abandon(): void {
    this.finish('stopped');
    this.chunks = [];
    this.buffered = 0;
  }

  /** What arrived since the last call, at least one byte; undefined after the end. */
  async next(): Promise<Buffer[] | undefined> {
    if (!this.started) this.start();
    while (this.buffered < BATCH_BYTES && !(this.gathered && this.buffered > 0) && !this.end) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    if (this.buffered === 0) return undefined;
    const batch = this.chunks;
    this.chunks = [];
    this.buffered = 0;
    clearTimeout(this.gathering);
    this.gathering = undefined;
    this.gathered = false;
    if (!this.end && this.req.isPaused()) {
      this.idle?.refresh();
      this.req.resume();
    }
    return batch;
  }

  private start(): void {
    this.started = true;
    const { req } = this;
    if (this.end) return;
    if (req.destroyed || req.readableEnded) {
      this.finish(req.complete ? 'complete' : 'broken');
      return;
    }
    this.idle = setTimeout(() => this.silent(), this.idleMs);
    req.on('data', this.take).on('end', this.ended).on('close', this.broke).on('error', this.broke);
  }

  private readonly take = (chunk: Buffer): void => {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    this.total += chunk.length;
    this.idle?.refresh();
    if (this.buffered >= MOST_BUFFERED) this.req.pause();
    if (this.buffered >= BATCH_BYTES) this.wakeUp();
    else this.gathering ??= setTimeout(this.endGathering, GATHER_MS);
  };

  private readonly endGathering = (): void => {
    this.gathered = true;
    this.wakeUp();
  };

  private readonly ended = (): void => this.finish(this.req.complete ? 'complete' : 'broken');

  private readonly broke = (): void => this.finish('broken');

  private silent(): void {
    // While we are the slow ones the client has no chance to send.
    if (this.req.isPaused()) this.idle?.refresh();
    else this.finish('idle');
  }

  private finish(end: BodyEnd): void {
    if (this.end) return;
    this.end = end;
    clearTimeout(this.idle);
    clearTimeout(this.lastCall);
    clearTimeout(this.gathering);
    const { req } = this;
    req.off('data', this.take).off('end', this.ended).off('close', this.broke);
    // A connection that breaks later must still find somebody listening.
    if (end !== 'complete') req.pause();
    this.wakeUp();
  }

  private wakeUp(): void {
    const wake = this.wake;
    this.wake = undefined;
    wake?.();
  }
}
