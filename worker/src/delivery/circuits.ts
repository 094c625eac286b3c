import type { Config } from '@relaypacs/core/config.js';
import { findTarget, type PacsTarget, type PacsTargets } from '@relaypacs/core/config-targets.js';
import { countDeliveries } from '@relaypacs/core/db/delivery-queue.js';
import {
  type CircuitRow,
  ensureCircuits,
  listCircuits,
  lockCircuit,
  markGoingOn,
  markWaitingForPacs,
  takeDueProbe,
  updateCircuit,
} from '@relaypacs/core/db/pacs-circuits.js';
import { tellWaits } from '@relaypacs/core/db/pacs-waits.js';
import type { UnitOfWork } from '@relaypacs/core/db/unit-of-work.js';
import { type CircuitState, PROBE_EVERY_SECONDS, probeDelaySeconds } from '@relaypacs/core/domain/circuit.js';
import type { Platform } from '@relaypacs/core/platform.js';
import { DeliveriesUnderWay } from './deliveries-under-way.js';
import type { DeliveryMetrics } from './delivery-metrics.js';
import { DicomwebClient } from './dicomweb-client.js';
import type { PacsAccesses } from './pacs-access.js';
import { waitingProblem } from './pacs-problems.js';
import { PacsUnavailable, type UnavailableKind } from './pacs-unavailable.js';

/** Longest time of one probe, and after which another worker may ask in place of one that was killed. */
const PROBE_LIMIT_SECONDS = 10;
/** A delivery that has heard nothing for so long of a PACS that answers no probe hangs. */
const SILENT_MS = 15_000;
/** A PACS that works is called away only when it did not answer twice: one lost packet is no outage. */
const FAILURES_TO_OPEN = 2;
/** A wait that is over sooner is not written into the history of an upload. */
const WORTH_TELLING_SECONDS = 15;
/** Studies of which histories are written in one transaction: it holds up all others that write to the audit trail. */
const TOLD_AT_ONCE = 200;

const CLOSED = { state: 'closed', kind: null, reason: null, failures: 0, openedAt: null } as const;

export interface CircuitDeps extends Pick<Platform, 'db' | 'transact' | 'logger'> {
  config: { pacs: Pick<PacsTargets, 'all'> } & Pick<Config, 'delivery'>;
  pacsAccesses: PacsAccesses;
  metrics: DeliveryMetrics;
}

/**
 * The circuit breakers, one for each PACS, shared by all workers through the database: a PACS that is away is not
 * tried study by study, its studies wait, and a probe finds out when it is back.
 */
export class Circuits {
  private readonly deps: CircuitDeps;
  /** Deliveries of this process; they say when the PACS answers them. */
  readonly underWay = new DeliveriesUnderWay();
  private readonly states = new Map<string, CircuitState>();

  constructor(deps: CircuitDeps) {
    this.deps = deps;
  }

  private get keys(): string[] {
    return this.deps.config.pacs.all.map(({ key }) => key);
  }

  /**
   * A delivery could not go on because of the PACS as a whole: nothing more is sent to it until a probe succeeds, and
   * everything that is to go there says that it waits.
   */
  async trip(target: PacsTarget, error: PacsUnavailable): Promise<void> {
    const { key } = target;
    const opened = await this.deps.transact(async (unit) => {
      await ensureCircuits(unit.trx, [key]);
      const circuit = await lockCircuit(unit.trx, key);
      const seconds = error.retryAfterSeconds ?? 0;
      if (!circuit) return false;
      if (circuit.state === 'open') {
        // Those that were under way fail one after another; they are one failure. What the PACS asks for holds.
        const wait = probeDelaySeconds(1, seconds);
        const isLater = circuit.nextProbeAt.getTime() < Date.now() + wait * 1000;
        if (seconds > 0 && isLater) await updateCircuit(unit.trx, key, { probeInSeconds: wait });
        return false;
      }
      await this.open(unit, target, circuit.failures + 1, error, seconds, circuit.openedAt);
      return circuit.state === 'closed';
    });
    this.note(key, 'open');
    if (opened) this.tellOpened(target, error);
  }

  /** A study got through: a PACS that was tried with one takes all again. */
  async worked(target: PacsTarget): Promise<void> {
    const { key } = target;
    if (this.states.get(key) === 'closed') return;
    const closed = await this.deps.transact(async (unit) => {
      const circuit = await lockCircuit(unit.trx, key);
      if (circuit?.state !== 'half_open') return undefined;
      await updateCircuit(unit.trx, key, { ...CLOSED, probeInSeconds: PROBE_EVERY_SECONDS });
      await markGoingOn(unit, key);
      return circuit;
    });
    if (!closed) return;
    this.note(key, 'closed');
    this.tellClosed(target, closed);
  }

  /**
   * One round of upkeep: asks each PACS whose probe is due (of all workers one does), and lets studies that came
   * meanwhile say that they wait.
   */
  async tend(): Promise<void> {
    const { db, transact } = this.deps;
    const { keys } = this;
    await ensureCircuits(db, keys);
    await Promise.all((await this.takeDue()).map((target) => this.probe(target)));
    const circuits = await transact(async (unit) => {
      const rows = await listCircuits(unit.trx, keys);
      for (const { key, state, kind } of rows) {
        if (state === 'open') await markWaitingForPacs(unit, { target: key }, problemOf(kind));
      }
      await markWaitingForPacs(unit, { notIn: keys }, problemOf('not-configured'));
      await tellWaits(unit, WORTH_TELLING_SECONDS, TOLD_AT_ONCE);
      return rows;
    });
    for (const circuit of circuits) this.see(circuit);
  }

  private see({ key, state, kind, checkedAt, latencyMs }: CircuitRow): void {
    this.note(key, state);
    const isSilent = state === 'open' && kind === 'unreachable' && checkedAt !== null && latencyMs === null;
    const ended = isSilent ? this.underWay.endSilent(key, SILENT_MS) : 0;
    if (ended > 0) this.deps.logger.warn('Deliveries that hang are ended', { target: key, count: ended });
  }

  private async takeDue(): Promise<PacsTarget[]> {
    const due: PacsTarget[] = [];
    for (const _ of this.keys) {
      const circuit = await takeDueProbe(this.deps.db, this.keys, PROBE_LIMIT_SECONDS + 5);
      const target = circuit && findTarget(this.deps.config.pacs, circuit.key);
      if (!target) break;
      due.push(target);
    }
    return due;
  }

  private async probe(target: PacsTarget): Promise<void> {
    const { pacsAccesses, metrics } = this.deps;
    const pacs = new DicomwebClient(target, pacsAccesses.of(target));
    const startedAt = performance.now();
    const failure = await pacs.ping(AbortSignal.timeout(PROBE_LIMIT_SECONDS * 1000)).then(
      () => undefined,
      (error: unknown) => asUnavailable(error),
    );
    pacs.close();
    if (failure) {
      await this.failed(target, failure);
      return;
    }
    const seconds = (performance.now() - startedAt) / 1000;
    metrics.probed(target.key, seconds);
    await this.answered(target, Math.round(seconds * 1000));
  }

  private async answered(target: PacsTarget, latencyMs: number): Promise<void> {
    const { key } = target;
    const { transact, logger, config } = this.deps;
    const { isBack, closed } = await transact(async (unit) => {
      const circuit = await lockCircuit(unit.trx, key);
      if (!circuit) return {};
      const wasOpen = circuit.state === 'open';
      // Nothing is there to try it with, and it goes on answering.
      const isIdle =
        circuit.state === 'half_open' && !(await countDeliveries(unit.trx, config.delivery.eager)).has(key);
      await updateCircuit(unit.trx, key, {
        ...(wasOpen ? { state: 'half_open' as const } : {}),
        ...(isIdle ? CLOSED : {}),
        ...(circuit.state === 'closed' ? { failures: 0 } : {}),
        checkedAt: new Date(),
        latencyMs,
        probeInSeconds: PROBE_EVERY_SECONDS,
      });
      return { isBack: wasOpen, closed: isIdle ? circuit : undefined };
    });
    // Not yet the end of it: one that answers and does not store comes here with every try.
    if (isBack) logger.debug('The PACS answers again and is tried with one study', { target: key });
    if (closed) this.tellClosed(target, closed);
  }

  private async failed(target: PacsTarget, error: PacsUnavailable): Promise<void> {
    const { transact } = this.deps;
    const { key } = target;
    const opened = await transact(async (unit) => {
      const circuit = await lockCircuit(unit.trx, key);
      if (!circuit) return false;
      const failures = circuit.failures + 1;
      await updateCircuit(unit.trx, key, { checkedAt: new Date(), latencyMs: null });
      if (circuit.state === 'closed' && failures < FAILURES_TO_OPEN) {
        await updateCircuit(unit.trx, key, { failures, probeInSeconds: probeDelaySeconds(failures) });
        return false;
      }
      await this.open(unit, target, failures, error, error.retryAfterSeconds ?? 0, circuit.openedAt);
      return circuit.state === 'closed';
    });
    if (opened) this.tellOpened(target, error);
  }

  private tellOpened(target: PacsTarget, error: PacsUnavailable): void {
    const { key, name } = target;
    const { kind } = error;
    const what = `${name} takes no studies now; they wait: ${reasonOf(target, error)}`;
    // What does not pass by itself somebody has to put right.
    if (waitingProblem(kind)) this.deps.logger.error(what, { target: key, kind });
    else this.deps.logger.warn(what, { target: key, kind });
  }

  /** Said once for each time that {@link tellOpened} was. */
  private tellClosed({ key, name }: PacsTarget, { openedAt }: Pick<CircuitRow, 'openedAt'>): void {
    const awaySeconds = openedAt && Math.round((Date.now() - openedAt.getTime()) / 1000);
    this.deps.logger.info(`${name} takes studies again`, { target: key, awaySeconds });
  }

  private async open(
    unit: UnitOfWork,
    target: PacsTarget,
    failures: number,
    error: PacsUnavailable,
    leastSeconds: number,
    openedAt: Date | null = null,
  ): Promise<void> {
    const { key } = target;
    const { kind } = error;
    await updateCircuit(unit.trx, key, {
      state: 'open',
      kind,
      reason: reasonOf(target, error),
      failures,
      openedAt: openedAt ?? new Date(),
      probeInSeconds: probeDelaySeconds(failures, leastSeconds),
    });
    await markWaitingForPacs(unit, { target: key }, problemOf(kind));
  }

  private note(key: string, state: CircuitState): void {
    this.states.set(key, state);
    this.deps.metrics.circuit(key, state);
  }
}

const problemOf = (kind: string | null) => waitingProblem(kind as UnavailableKind) ?? null;

/** For the operator, with the variables of this PACS. */
export function reasonOf({ prefix }: PacsTarget, { kind, message }: PacsUnavailable): string {
  const hint = message.includes('PACS_') ? undefined : TO_CHECK[kind];
  return `${message}${hint ? ` (${hint})` : ''}`.replace(/\bPACS_(?=[A-Z])/g, prefix);
}

/** What may be wrong where the message names no variable. */
const TO_CHECK: Partial<Record<UnavailableKind, string>> = {
  denied: 'check PACS_AUTH and what belongs to it',
  misconfigured: 'check PACS_URL',
};

function asUnavailable(error: unknown): PacsUnavailable {
  if (error instanceof PacsUnavailable) return error;
  return new PacsUnavailable('unreachable', 'The PACS did not answer in time', { cause: error });
}
