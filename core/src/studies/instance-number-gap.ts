import { isLocalizer, seriesLabel, seriesOf } from './image-series.js';
import type { InstanceFacts } from './instance-facts.js';
import type { Warning } from './warning.js';

/**
 * Modalities where whoever takes the images throws some away on the spot, so that holes in the numbers are daily
 * routine; and objects that are no images, whose numbers mean nothing.
 */
const NUMBERED_WITH_HOLES: ReadonlySet<string> = new Set(
  (
    'CR DX MG IO PX RG RF XA US IVUS ES XC GM SM OP OPT ECG EPS HD AU OT ' +
    'SR PR KO DOC SEG REG PLAN FID RWV M3D SMR RTSTRUCT RTPLAN RTRECORD ANN'
  ).split(' '),
);

const MIN_INSTANCES = 3;
/** Share of instances that may repeat a number before numbers are taken as not unique in a series. */
const MAX_REPEATED = 0.1;
/** Devices let the numbers of a further acquisition begin at 101, 1001 and so on, or far away from the others. */
const BLOCK_STEP = 100;
/** Runs of missing numbers that a message lists. */
const MAX_LISTED = 5;

/** Numbers of images, both ends included. */
interface Run {
  first: number;
  last: number;
}

/**
 * Holes in the instance numbers of one series, between the least and the greatest that is there: nothing tells how
 * far a series should reach at either end.
 *
 * @param instances of one series, each once
 */
export function instanceNumberGap(instances: readonly InstanceFacts[]): Warning | undefined {
  if (instances.some(({ modality }) => NUMBERED_WITH_HOLES.has(modality ?? ''))) return undefined;
  const images = instances.filter((instance) => !isLocalizer(instance));
  const numbers = numbersOf(images);
  const distinct = [...new Set(numbers)].sort((a, b) => a - b);
  if (distinct.length < MIN_INSTANCES || distinct.length < numbers.length * (1 - MAX_REPEATED)) {
    return undefined;
  }
  if (commonStep(distinct) > 1) return undefined;
  // A scout in the middle of the numbers is there, though it says nothing of where they begin and end.
  const missing = missingRuns(distinct, new Set(numbersOf(instances)));
  const count = missing.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (count === 0) return undefined;
  const which = listRuns(missing);
  const seem = count === 1 ? `image ${which} seems` : `images ${which} seem`;
  return {
    code: 'INSTANCE_NUMBER_GAP',
    message: `${seriesLabel(instances)}: ${seem} to be missing (${count} of ${distinct.length + count}).`,
    ...seriesOf(instances),
  };
}

function numbersOf(instances: readonly InstanceFacts[]): number[] {
  return instances.map(({ instanceNumber }) => instanceNumber ?? 0).filter((number) => number >= 1);
}

/** The greatest number of which all distances are multiples: a series numbered 1, 3, 5 lacks nothing. */
function commonStep(sorted: readonly number[]): number {
  const [first = 0] = sorted;
  return sorted.reduce((step, number) => greatestCommonDivisor(step, number - first), 0);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** @param sorted numbers that must have no holes, in ascending order @param present all numbers of the series */
function missingRuns(sorted: readonly number[], present: ReadonlySet<number>): Run[] {
  const start = sorted[0] ?? 0;
  const end = sorted.at(-1) ?? 0;
  const known = [...present].filter((number) => number >= start && number <= end).sort((a, b) => a - b);
  return known.flatMap((number, index) => {
    const next = known[index + 1] ?? number + 1;
    const length = next - number - 1;
    const newBlock = (next - start) % BLOCK_STEP === 0 || length > Math.max(BLOCK_STEP, 4 * known.length);
    return length === 0 || newBlock ? [] : [{ first: number + 1, last: next - 1 }];
  });
}

function listRuns(runs: readonly Run[]): string {
  const texts = runs
    .slice(0, MAX_LISTED)
    .map(({ first, last }) => (first === last ? `${first}` : `${first} to ${last}`));
  if (runs.length > MAX_LISTED) texts.push('others');
  const last = texts.pop() ?? '';
  return texts.length === 0 ? last : `${texts.join(', ')} and ${last}`;
}
