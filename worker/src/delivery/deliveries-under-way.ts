import { PacsUnavailable } from './pacs-unavailable.js';

/** A PACS that fell silent may still be storing what it got: the study is let alone for so long. */
const SETTLE_SECONDS = 30;

/** One delivery of this process, as seen by whoever watches over its PACS. */
export interface UnderWayWatch {
  /** Aborted with {@link PacsUnavailable} when the delivery hangs on a PACS that is gone. */
  readonly signal: AbortSignal;
  /** To be called whenever the PACS has answered, or takes or gives bytes: one that is busy may answer no probe. */
  progressed(): void;
  /** To be called in the end. */
  done(): void;
}

interface Entry {
  abort: AbortController;
  progressedAt: number;
}

/**
 * The deliveries of this process by their PACS. A request to a machine that has lost its power waits until its time
 * runs out, which may be minutes; a probe finds out sooner, and then what hangs must not keep its slot.
 */
export class DeliveriesUnderWay {
  private readonly entries = new Map<string, Set<Entry>>();

  /** @param target - key of the PACS */
  begin(target: string): UnderWayWatch {
    const entry: Entry = { abort: new AbortController(), progressedAt: performance.now() };
    const others = this.entries.get(target) ?? new Set();
    this.entries.set(target, others.add(entry));
    return {
      signal: entry.abort.signal,
      progressed() {
        entry.progressedAt = performance.now();
      },
      done: () => others.delete(entry),
    };
  }

  /**
   * Ends the deliveries to a PACS that has not answered them for a while, nor taken or given anything.
   *
   * @returns how many
   */
  endSilent(target: string, silentMs: number): number {
    const latest = performance.now() - silentMs;
    const silent = [...(this.entries.get(target) ?? [])].filter(
      ({ progressedAt, abort }) => progressedAt <= latest && !abort.signal.aborted,
    );
    for (const { abort } of silent) {
      abort.abort(
        new PacsUnavailable('unreachable', 'The PACS answers no probe either', {
          settleSeconds: SETTLE_SECONDS,
        }),
      );
    }
    return silent.length;
  }
}
