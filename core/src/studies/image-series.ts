import type { InstanceFacts } from './instance-facts.js';
import type { Warning } from './warning.js';

/** Groups that keep the order of their members and of their first appearance. */
export function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): T[][] {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** How people call a series: `Series 3 (AX T2)`. */
export function seriesLabel(instances: readonly InstanceFacts[]): string {
  const number = instances.find(({ seriesNumber }) => seriesNumber !== undefined)?.seriesNumber;
  const description = instances.find(({ seriesDescription }) => seriesDescription)?.seriesDescription;
  if (number === undefined) return description === undefined ? 'A series' : `Series "${description}"`;
  return description === undefined ? `Series ${number}` : `Series ${number} (${description})`;
}

/** The series' UID as a part of a warning about it. */
export function seriesOf(instances: readonly InstanceFacts[]): Pick<Warning, 'seriesInstanceUid'> {
  const [first] = instances;
  return first === undefined ? {} : { seriesInstanceUid: first.seriesInstanceUid };
}

/** An image for planning, which lies across the slices it belongs to (PS3.3 §C.7.6.1.1.2, §C.8.2.1.1.1). */
export function isLocalizer({ imageType = [] }: InstanceFacts): boolean {
  return imageType.some((value) => /^(LOCALI[SZ]ER|SCOUT|SURVEY)$/i.test(value));
}
