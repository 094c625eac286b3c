import type { CircuitState } from '@relaypacs/core/domain/circuit.js';
import type { Metrics } from '@relaypacs/core/observability/metrics.js';
import type { Unsettled } from './unsettled-study.js';

/**
 * How one run at a study ended; `preempted`: it made room for a more urgent one; `awaiting_index`: the PACS does not show
 * yet what it stored; `goes_on`, `sent_early`: it sent all it knew of, and more has come meanwhile, or may.
 */
export type DeliveryOutcome =
  | Unsettled
  | 'delivered'
  | 'failed'
  | 'waiting'
  | 'preempted'
  | 'awaiting_index'
  | 'handed_back'
  | 'interrupted';

/** What the worker counts of deliveries. Targets are those of the configuration: a short, fixed list. */
export interface DeliveryMetrics {
  ended(target: string, outcome: DeliveryOutcome): void;
  /** @param seconds - until the PACS answered */
  probed(target: string, seconds: number): void;
  circuit(target: string, state: CircuitState): void;
}

const UP: Record<CircuitState, number> = { closed: 1, half_open: 0.5, open: 0 };

export function createDeliveryMetrics(metrics: Metrics): DeliveryMetrics {
  const deliveries = metrics.counter({
    name: 'delivery_runs_total',
    help: 'Runs at a study, by how they ended',
    labels: ['target', 'outcome'],
  });
  const probes = metrics.histogram(
    { name: 'pacs_probe_duration_seconds', help: 'Answers to probes of the PACS', labels: ['target'] },
    [0.005, 0.025, 0.1, 0.5, 1, 5, 10],
  );
  const up = metrics.levels({
    name: 'pacs_up',
    help: '1: the PACS takes studies; 0.5: it answers and is tried with one; 0: nothing is sent to it',
    labels: ['target'],
  });
  return {
    ended: (target, outcome) => deliveries.inc({ target, outcome }),
    probed: (target, seconds) => probes.observe({ target }, seconds),
    circuit: (target, state) => up.set({ target }, UP[state]),
  };
}
