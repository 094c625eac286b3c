import type { Archive, InstanceUids, Series, Study } from '../archive.js';

/** Instances that are stored but that searches do not show yet, as in an archive whose index lags behind. */
export class IndexDelay {
  /** By SOP Instance UID: until when, in milliseconds since 1970. */
  readonly #until = new Map<string, number>();

  hide({ instance }: InstanceUids, seconds: number): void {
    this.#until.set(instance, Date.now() + seconds * 1000);
  }

  isHidden({ instance }: InstanceUids): boolean {
    return (this.#until.get(instance) ?? 0) > Date.now();
  }

  /** Searches show everything again. */
  end(): void {
    this.#until.clear();
  }

  /** The studies as searches see them. */
  visible({ studies }: Archive): ReadonlyMap<string, Study> {
    const now = Date.now();
    for (const [uid, until] of this.#until) if (until <= now) this.#until.delete(uid);
    if (this.#until.size === 0) return studies;
    return withoutEmpty(studies, (study) => {
      const series = withoutEmpty(study.series, (each) => this.#visibleIn(each));
      return series.size > 0 ? { ...study, series } : undefined;
    });
  }

  #visibleIn(series: Series): Series | undefined {
    const shown = [...series.instances].filter(([uid]) => !this.#until.has(uid));
    return shown.length > 0 ? { ...series, instances: new Map(shown) } : undefined;
  }
}

/** A copy of the map, without what has nothing left. */
function withoutEmpty<T>(map: ReadonlyMap<string, T>, left: (value: T) => T | undefined): Map<string, T> {
  const copy = new Map<string, T>();
  for (const [key, value] of map) {
    const rest = left(value);
    if (rest) copy.set(key, rest);
  }
  return copy;
}
