import { befalls, type Fault, type FaultKind, type RequestKind } from './fault.js';

/** A fault that is switched on. */
interface Switch {
  fault: Fault;
  /** Requests it has befallen. */
  fired: number;
  /** Instances it has looked at, for `every`. */
  instances: number;
  random: () => number;
}

/** A fault with how often it has befallen a request. */
export type FaultReport = Fault & { fired: number; over: boolean };

/** The faults that are switched on. */
export class FaultBoard {
  #switches: Switch[] = [];

  /** Puts these in place of all others; their counts start at 0. */
  set(faults: readonly Fault[]): void {
    this.#switches = faults.map((fault) => ({
      fault,
      fired: 0,
      instances: 0,
      random: randomNumbers(fault.seed ?? 1),
    }));
  }

  clear(): void {
    this.#switches = [];
  }

  list(): FaultReport[] {
    return this.#switches.map((each) => ({ ...each.fault, fired: each.fired, over: isOver(each) }));
  }

  /** The faults a new request may meet; whether chance wants them is decided here, once per request. */
  forRequest(kind: RequestKind): RequestFaults {
    return new RequestFaults(
      this.#switches.filter(
        (each) => befalls(each.fault, kind) && each.random() < (each.fault.chance ?? 1) && !isOver(each),
      ),
    );
  }
}

/** The faults of one request. A fault counts once per request, when it is first taken. */
export class RequestFaults {
  readonly #switches: readonly Switch[];
  readonly #fired = new Set<Switch>();

  constructor(switches: readonly Switch[]) {
    this.#switches = switches;
  }

  /** The first fault of these kinds, in the order they were put; it counts as having befallen the request. */
  take(...kinds: FaultKind[]): Fault | undefined {
    return this.#first(kinds, () => true);
  }

  /**
   * The first fault of these kinds that befalls this instance: one of the `sopInstanceUids`, the nth of `every`,
   * any where neither is given.
   */
  takeFor(sopInstanceUid: string, ...kinds: FaultKind[]): Fault | undefined {
    return this.#first(kinds, (each) => {
      const { sopInstanceUids, every } = each.fault;
      if (sopInstanceUids) return sopInstanceUids.includes(sopInstanceUid);
      each.instances++;
      return every === undefined || each.instances % every === 0;
    });
  }

  #first(kinds: readonly FaultKind[], applies: (each: Switch) => boolean): Fault | undefined {
    for (const each of this.#switches) {
      const isNew = !this.#fired.has(each);
      // Another request may have used it up since this one began.
      if (!kinds.includes(each.fault.kind) || (isNew && isOver(each)) || !applies(each)) continue;
      if (isNew) each.fired++;
      this.#fired.add(each);
      return each.fault;
    }
    return undefined;
  }
}

function isOver({ fault, fired }: Switch): boolean {
  return fault.times !== undefined && fired >= fault.times;
}

/** Numbers from 0 to below 1 that a seed repeats (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
