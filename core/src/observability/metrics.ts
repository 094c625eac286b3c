import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type HistogramConfiguration,
  Registry,
} from 'prom-client';

/** Every name begins with it. */
const PREFIX = 'relaypacs_';

/** What a metric is called (without the prefix) and what it says. */
interface Described<Label extends string> {
  name: string;
  help: string;
  /** Their values come from short fixed lists: never ids, names, paths or anything a client chose. */
  labels?: readonly Label[];
}

/**
 * What one process counts, for Prometheus. The numbers are about the process: nothing here may tell of a patient, a
 * study, a file or an account.
 */
export class Metrics {
  private readonly registry = new Registry();

  constructor() {
    collectDefaultMetrics({ register: this.registry, prefix: PREFIX });
  }

  /** A number that only rises. */
  counter<const Label extends string = never>(described: Described<Label>): Counter<Label> {
    return new Counter(this.configuration(described));
  }

  /** A number that is read when somebody asks. */
  gauge(described: Described<never>, read: () => number): void {
    new Gauge({
      ...this.configuration(described),
      collect() {
        this.set(read());
      },
    });
  }

  /** Numbers that rise and fall, one for each value of its labels. */
  levels<const Label extends string>(described: Described<Label>): Gauge<Label> {
    return new Gauge(this.configuration(described));
  }

  /** @param buckets - upper bounds, rising, in the unit of what is observed */
  histogram<const Label extends string = never>(
    described: Described<Label>,
    buckets: NonNullable<HistogramConfiguration<Label>['buckets']>,
  ): Histogram<Label> {
    return new Histogram({ ...this.configuration(described), buckets });
  }

  /** Media type of {@link text}. */
  get contentType(): string {
    return this.registry.contentType;
  }

  /** Everything that was counted, in Prometheus' text format 0.0.4. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  private configuration<Label extends string>({ name, help, labels = [] }: Described<Label>) {
    return { name: `${PREFIX}${name}`, help, labelNames: labels, registers: [this.registry] };
  }
}
