import { setTimeout as sleep } from 'node:timers/promises';
import type { PacsTarget } from '@relaypacs/core/config-targets.js';
import type { ServiceLevel } from '@relaypacs/core/contract/uploads.js';
import type { Logger } from '@relaypacs/core/observability/logger.js';
import type { DeliveryRecord } from './delivery-record.js';
import type { DicomwebClient } from './dicomweb-client.js';
import type { InstanceReader } from './instance-reader.js';

/** The worker is to stop: the study is handed back between two requests. */
export class Stopping extends Error {
  constructor() {
    super('The worker stops');
    this.name = 'Stopping';
  }
}

/** A more urgent study waits for the slot: this one is handed back between two requests. */
export class MakingRoom extends Error {
  constructor() {
    super('A more urgent study waits');
    this.name = 'MakingRoom';
  }
}

/** The PACS does not show yet what it said it stored: the study is handed back until it may have. */
export class AwaitingIndex extends Error {
  readonly seconds: number;

  /** @param seconds - before it is asked again */
  constructor(seconds: number) {
    super('The PACS does not show yet what it stored');
    this.name = 'AwaitingIndex';
    this.seconds = seconds;
  }
}

/** What is under way, for whoever decides whether it has to make room. */
export interface UnderWay {
  serviceLevel: ServiceLevel;
  /** Key of the PACS. */
  target: string;
}

/** What the steps of one delivery share. */
export interface DeliveryRun {
  readonly record: DeliveryRecord;
  readonly pacs: DicomwebClient;
  readonly reader: InstanceReader;
  readonly logger: Logger;
  /** What proves that an instance arrived there. */
  readonly verification: PacsTarget['verification'];
  /** Seconds to wait before each further look for what the PACS has just said it stored. */
  readonly patienceSeconds: readonly number[];
  /** For how long what the PACS said it stored is not sent again though it does not show it; milliseconds. */
  readonly indexPatienceMs: number;
  /** The worker is to stop: requests under way are let finish, no further one begins. */
  readonly stopping: AbortSignal;
  /** Ends requests under way. */
  readonly signal: AbortSignal;
  /** True when this delivery is to be put off for a more urgent one. */
  makesRoom(): Promise<boolean>;
  /** To be called when the PACS has answered, or takes or gives bytes. */
  readonly progressed: () => void;
  /** To be called when the PACS has answered a request for storage. */
  pacsWorked(): Promise<void>;
}

/** The first time a study is put off for its index, as a share of all that is waited for it; later ones are longer. */
export const FIRST_PUT_OFF = 1 / 12;

/** To be called between requests. @throws Stopping or ClaimLost */
export function checkpoint({ signal, stopping, progressed }: DeliveryRun): void {
  progressed();
  signal.throwIfAborted();
  if (stopping.aborted) throw new Stopping();
}

/** To be called before something is sent or retrieved. @throws MakingRoom, and what {@link checkpoint} does */
export async function turnstile(run: DeliveryRun): Promise<void> {
  checkpoint(run);
  if (await run.makesRoom()) throw new MakingRoom();
}

/** Looks at the PACS, one after another: at once, and after each wait that is patience. @throws what {@link checkpoint} does */
export async function* looks(run: DeliveryRun): AsyncGenerator<void> {
  for (const seconds of [0, ...run.patienceSeconds]) {
    checkpoint(run);
    if (seconds > 0) await sleep(seconds * 1000);
    yield;
  }
}

/** How long requests under way may go on when the worker stops: less than the process itself is given. */
const STOP_WITHIN_MS = 10_000;

/**
 * A signal that ends requests when the claim is lost, and some time after the worker is told to stop.
 *
 * @returns the signal, and what is to be called in the end
 */
export function requestSignal(
  lost: AbortSignal,
  stopping: AbortSignal,
): { signal: AbortSignal; done: () => void } {
  const late = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onStop = () => {
    timer = setTimeout(() => late.abort(new Stopping()), STOP_WITHIN_MS);
  };
  if (stopping.aborted) onStop();
  else stopping.addEventListener('abort', onStop, { once: true });
  return {
    signal: AbortSignal.any([lost, late.signal]),
    done: () => {
      clearTimeout(timer);
      stopping.removeEventListener('abort', onStop);
    },
  };
}
