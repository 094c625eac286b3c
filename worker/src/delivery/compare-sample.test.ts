import type { InstanceRow } from '@relaypacs/core/db/instances.js';
import { expect, it } from 'vitest';
import { chooseSample } from './compare-sample.js';
import type { DeliveryRecord } from './delivery-record.js';
import { ALTERED, HEADER_REWRITTEN, NOT_COMPARED, warning } from './pacs-problems.js';

/** The instances of a study of which some were compared before, and of which the rest waits to be verified. */
function study(count: number, before: Array<Partial<InstanceRow>> = []): InstanceRow[] {
  const stored = { status: 'stored', verification: null, problem: null } as const;
  return Array.from(
    { length: count },
    (_, id) => ({ id: String(id), ...stored, ...before[id] }) as InstanceRow,
  );
}

function draw(instances: readonly InstanceRow[], share: number, level: 'uids' | 'bytes' = 'bytes'): string[] {
  const record = { instances } as DeliveryRecord;
  const candidates = instances.filter(({ status }) => status === 'stored' || status === 'warning');
  return [...chooseSample({ record, verification: { level, share } }, candidates)].map(({ id }) => id);
}

it('draws nothing where the word of the PACS is enough', () => {
  expect(draw(study(10), 1, 'uids')).toEqual([]);
});

it.each([
  [10, 1, 10],
  [10, 0.25, 3],
  [100, 0.07, 7],
  [10, 0, 1],
  [1, 0.01, 1],
])('draws of %i instances and a share of %d: %i', (count, share, drawn) => {
  expect(draw(study(count), share)).toHaveLength(drawn);
});

it('cannot be foreseen: every instance may be drawn', () => {
  const drawn = new Set(Array.from({ length: 400 }, () => draw(study(5), 0.2)[0]));
  expect(drawn.size).toBe(5);
});

it('counts what was compared before, also where that proved nothing, and does not draw it again', () => {
  const before: Array<Partial<InstanceRow>> = [
    { status: 'verified', verification: 'bytes' },
    { status: 'verified', verification: 'uids', problem: HEADER_REWRITTEN },
    { status: 'failed', problem: ALTERED },
    { status: 'warning', problem: NOT_COMPARED },
  ];
  expect(draw(study(10, before), 0.5)).toHaveLength(1);
  expect(draw(study(10, before), 1).sort()).toEqual(['4', '5', '6', '7', '8', '9']);
});

it('draws those on which the PACS had a remark of its own, too', () => {
  expect(draw(study(3, [{ status: 'warning', problem: warning(0xb000) }]), 1)).toHaveLength(3);
});
