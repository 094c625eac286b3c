import { groupBy, isLocalizer, seriesLabel, seriesOf } from './image-series.js';
import type { InstanceFacts } from './instance-facts.js';
import type { Warning } from './warning.js';

const MIN_SLICES = 5;
/** A spacing from this multiple of the usual one on is a gap. */
const GAP_FACTOR = 1.75;
/** Share of spacings that must agree within `TOLERANCE` before a series counts as evenly spaced. */
const MIN_EVEN = 0.8;
const TOLERANCE = 0.1;
/** Positions nearer than this, in mm, are one: they are rounded differently from one image to the next. */
const SAME_POSITION_MM = 0.01;
/** Cosine between two normals from which on they are parallel: 0.8 degrees. */
const PARALLEL = 0.9999;
/** Orientations told apart in one series; a radial or hostile series has as many as images, and no even stack. */
const MAX_ORIENTATIONS = 50;

type Vector = readonly [number, number, number];

interface Gap {
  /** Slices that fit into it. */
  missing: number;
  /** The usual spacing and the widest one, in mm. */
  usualMm: number;
  widestMm: number;
}

/**
 * Holes between the slices of one series by where they lie in the patient, for series whose instance numbers tell
 * nothing.
 *
 * @param instances of one series, each once
 */
export function sliceGap(instances: readonly InstanceFacts[]): Warning | undefined {
  const gaps = stacksOf(instances)
    .map(gapIn)
    .filter((gap) => gap !== undefined);
  const [first] = gaps;
  if (first === undefined) return undefined;
  // The echoes or phases of one stack lack the same slices, and one sentence says it.
  const worst = gaps.reduce((a, b) => (b.missing > a.missing ? b : a), first);
  const count = worst.missing === 1 ? '1 slice seems' : `about ${worst.missing} slices seem`;
  const widest = millimetres(worst.widestMm);
  const usual = millimetres(worst.usualMm);
  return {
    code: 'SLICE_GAP',
    message: `${seriesLabel(instances)}: ${count} to be missing, as there is a gap of ${widest} mm between slices that lie ${usual} mm apart.`,
    ...seriesOf(instances),
  };
}

function millimetres(length: number): string {
  return String(Math.round(length * 10) / 10);
}

/** Positions along their common normal, for each set of slices that should lie evenly. */
function stacksOf(instances: readonly InstanceFacts[]): number[][] {
  const groups = groupBy(
    instances.filter((instance) => !isLocalizer(instance)),
    ({ acquisitionNumber, echoNumbers, temporalPositionIdentifier, imageType }) =>
      JSON.stringify([acquisitionNumber, echoNumbers, temporalPositionIdentifier, imageType]),
  );
  return groups.flatMap(parallelStacks);
}

function parallelStacks(instances: readonly InstanceFacts[]): number[][] {
  const stacks: { normal: Vector; positions: number[] }[] = [];
  for (const { imagePositionPatient, imageOrientationPatient } of instances) {
    const normal = normalOf(imageOrientationPatient ?? []);
    const position = vectorOf(imagePositionPatient ?? []);
    if (normal === undefined || position === undefined) continue;
    const stack = stacks.find((known) => dot(known.normal, normal) > PARALLEL);
    // All of a stack are measured along one normal: along slightly different ones, far positions would shift.
    if (stack !== undefined) stack.positions.push(dot(position, stack.normal));
    else if (stacks.length < MAX_ORIENTATIONS) stacks.push({ normal, positions: [dot(position, normal)] });
  }
  return stacks.map(({ positions }) => positions);
}

function gapIn(positions: readonly number[]): Gap | undefined {
  const sorted = [...positions].sort((a, b) => a - b);
  const distinct = sorted.filter(
    (position, index) => index === 0 || position - (sorted[index - 1] ?? 0) > SAME_POSITION_MM,
  );
  const spacings = distinct.slice(1).map((position, index) => position - (distinct[index] ?? 0));
  if (distinct.length < MIN_SLICES) return undefined;
  const usualMm = median(spacings);
  const even = spacings.filter((spacing) => Math.abs(spacing - usualMm) <= TOLERANCE * usualMm);
  const wide = spacings.filter((spacing) => spacing >= GAP_FACTOR * usualMm);
  if (wide.length === 0 || even.length < MIN_EVEN * spacings.length) return undefined;
  if (arePlannedStacks(spacings, usualMm)) return undefined;
  const missing = wide.reduce((sum, spacing) => sum + Math.max(1, Math.round(spacing / usualMm) - 1), 0);
  return { missing, usualMm, widestMm: Math.max(...wide) };
}

/** Parallel stacks of equally many slices, well apart, were planned so: as on several discs of a spine. */
function arePlannedStacks(spacings: readonly number[], usualMm: number): boolean {
  const sizes = [1];
  for (const spacing of spacings) {
    if (spacing < GAP_FACTOR * usualMm) sizes[sizes.length - 1] = (sizes.at(-1) ?? 0) + 1;
    else if (spacing < 2.5 * usualMm) return false;
    else sizes.push(1);
  }
  return sizes.every((size) => size === sizes[0]);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function vectorOf([x, y, z]: readonly number[]): Vector | undefined {
  const vector = [x, y, z].filter((part) => part !== undefined && Math.abs(part) < 1e6);
  const [a, b, c] = vector;
  return a === undefined || b === undefined || c === undefined ? undefined : [a, b, c];
}

/** The unit vector across the slice; `undefined` for directions of which a plane cannot be made. */
function normalOf(orientation: readonly number[]): Vector | undefined {
  const row = vectorOf(orientation.slice(0, 3));
  const column = vectorOf(orientation.slice(3, 6));
  if (row === undefined || column === undefined) return undefined;
  const [a, b, c] = row;
  const [d, e, f] = column;
  const cross: Vector = [b * f - c * e, c * d - a * f, a * e - b * d];
  const length = Math.sqrt(dot(cross, cross));
  if (!(length > 0.5 && length < 2)) return undefined;
  return [cross[0] / length, cross[1] / length, cross[2] / length];
}

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
