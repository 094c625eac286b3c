import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Archive } from './archive.js';
import type { FaultBoard, RequestFaults } from './faults/fault-board.js';
import type { IndexDelay } from './faults/index-delay.js';
import type { Personality } from './personalities/personality.js';
import type { Statistics } from './statistics.js';

export interface Limits {
  /** The most rows of one answer to a search, whatever limit is asked for. */
  mostRows: number;
  /** The most bytes of a STOW request; undefined: as many as the archive played takes. */
  mostRequestBytes: number | undefined;
}

/** What all requests to one sandbox share. */
export interface Surroundings {
  readonly archive: Archive;
  readonly personality: Personality;
  /** Tighter bounds than the archive's own, so that small studies meet them. */
  readonly limits: Limits;
  /** Who is let in, in a word, for the page. */
  readonly authName: string;
  readonly board: FaultBoard;
  readonly indexDelay: IndexDelay;
  readonly statistics: Statistics;
  /** Aborted when the sandbox stops: nobody waits for anything any more. */
  readonly stopping: AbortSignal;
}

/** One request and its answer. */
export interface Exchange extends Surroundings {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The faults this request meets. */
  readonly faults: RequestFaults;
  /** The request's body, as slow and as broken as the faults want it. */
  incoming: AsyncIterable<Buffer>;
  /** What the faults make of an answer's body. */
  outgoing: (chunks: AsyncIterable<Buffer | string>) => AsyncIterable<Buffer | string>;
  /** How long the answer is held back once all is done, in milliseconds. */
  answerDelayMs: number;
}
