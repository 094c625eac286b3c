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

/** What the steps of one delivery share. */
export interface DeliveryRun {
  readonly record: DeliveryRecord;
  readonly pacs: DicomwebClient;
  readonly reader: InstanceReader;
  readonly logger: Logger;
  /** Seconds to wait before each further look for what the PACS has just said it stored. */
  readonly patienceSeconds: readonly number[];
  /** The worker is to stop: requests under way are let finish, no further one begins. */
  readonly stopping: AbortSignal;
  /** Ends requests under way. */
  readonly signal: AbortSignal;
}

/** To be called between requests. @throws Stopping or ClaimLost */
export function checkpoint({ signal, stopping }: DeliveryRun): void {
  signal.throwIfAborted();
  if (stopping.aborted) throw new Stopping();
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
  stopping.addEventListener('abort', onStop, { once: true });
  return {
    signal: AbortSignal.any([lost, late.signal]),
    done: () => {
      clearTimeout(timer);
      stopping.removeEventListener('abort', onStop);
    },
  };
}
