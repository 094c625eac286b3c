import { expect, it } from 'vitest';
import { concatBytes } from './encode.js';
import type { DicomScan } from './scan.js';
import { scanDicom } from './scan.js';
import { bytesSource } from './source.js';
import type { DicomOptions } from './testing/build.js';
import { buildDicom } from './testing/build.js';

/** mulberry32: a small generator with a seed, so that a failure can be repeated. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Random = ReturnType<typeof randomFrom>;

const SMALL = {
  rows: 16,
  columns: 16,
  sopInstanceUid: '1.2.3',
  studyInstanceUid: '1.2.4',
  seriesInstanceUid: '1.2.5',
};
const SEEDS: DicomOptions[] = [
  { ...SMALL, nesting: 3 },
  { ...SMALL, nesting: 3, nestingLengths: 'defined' },
  { ...SMALL, transferSyntaxUid: '1.2.840.10008.1.2', nesting: 4, nestingLengths: 'defined' },
  { ...SMALL, transferSyntaxUid: '1.2.840.10008.1.2.2', nesting: 4 },
  { ...SMALL, transferSyntaxUid: '1.2.840.10008.1.2.1.99', nesting: 2 },
  { ...SMALL, transferSyntaxUid: '1.2.840.10008.1.2.4.50', frames: 5 },
  { ...SMALL, preamble: null },
  { ...SMALL, preamble: null, meta: null, transferSyntaxUid: '1.2.840.10008.1.2' },
];

const LENGTHS = [0, 1, 7, 8, 0xff, 0xffff, 0x7fffffff, 0xfffffffe, 0xffffffff];
const PIECES = ['SQ', 'UN', 'OB', 'UT', '\\', '\u001b$B', '\u001b$)C', '\u00fe\u00ff\u0000\u00e0'].map(
  (text) => Uint8Array.from(text, (character) => character.charCodeAt(0)),
);

/** One change to a file: a flipped byte, a cut, another length, a splice of its own bytes, or a telling piece. */
function mutate(original: Uint8Array, random: Random): Uint8Array {
  const bytes = original.slice();
  // Half of the changes go to the header, where there is more to break than in the pixels.
  const at = random(2) === 0 ? random(bytes.length) : random(Math.min(900, bytes.length));
  switch (random(6)) {
    case 0:
      bytes[at] = random(256);
      return bytes;
    case 1:
      return bytes.subarray(0, at);
    case 2: {
      const length = LENGTHS[random(LENGTHS.length)] ?? 0;
      if (at + 4 <= bytes.length) new DataView(bytes.buffer).setUint32(at, length, random(8) !== 0);
      return bytes;
    }
    case 3: {
      const from = random(bytes.length);
      return concatBytes([
        bytes.subarray(0, at),
        bytes.subarray(from, from + random(400)),
        bytes.subarray(at),
      ]);
    }
    case 4:
      return concatBytes([bytes.subarray(0, at), bytes.subarray(at + 1 + random(40))]);
    default: {
      const piece = PIECES[random(PIECES.length)] ?? new Uint8Array(0);
      bytes.set(piece.subarray(0, bytes.length - at), at);
      return bytes;
    }
  }
}

function checkConsistent(result: DicomScan, size: number): void {
  const tiers = new Set(result.findings.map(({ tier }) => tier));
  expect(result.verdict).toBe(tiers.has('reject') ? 'invalid' : tiers.has('repair') ? 'repairable' : 'valid');
  expect(result.cost.depth).toBeLessThanOrEqual(16);
  expect(result.findings.length).toBeLessThan(200);
  const { pixelData, attributes } = result;
  if (result.verdict === 'invalid') return;
  for (const uid of [attributes.studyInstanceUid, attributes.seriesInstanceUid, attributes.sopInstanceUid]) {
    if (!result.needsRewrite) expect(uid).toMatch(/^[\d.]{1,64}$/);
  }
  const deflated = result.transferSyntaxUid === '1.2.840.10008.1.2.1.99';
  if (pixelData !== undefined && !deflated) expect(pixelData.end).toBeLessThanOrEqual(size);
}

it('6,000 spoilt files end in a verdict, soon and within bounds', async () => {
  const seeds = SEEDS.map((options) => buildDicom(options));
  const verdicts = new Map<string, number>();
  let slowestMs = 0;
  for (let round = 0; round < 6_000; round += 1) {
    const random = randomFrom(round);
    let bytes = seeds[round % seeds.length] ?? new Uint8Array(0);
    for (let change = 0; change <= random(4); change += 1)
      if (bytes.length > 0) bytes = mutate(bytes, random);
    const startedAt = performance.now();
    const result = await scanDicom(bytesSource(bytes)).catch((cause: unknown) => {
      throw new Error(`Round ${round} threw`, { cause });
    });
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    checkConsistent(result, bytes.length);
    verdicts.set(result.verdict, (verdicts.get(result.verdict) ?? 0) + 1);
  }
  expect(slowestMs).toBeLessThan(2_000);
  // All three come about, or the changes would be too wild or too tame to test anything.
  for (const verdict of ['valid', 'repairable', 'invalid']) expect(verdicts.get(verdict)).toBeGreaterThan(50);
}, 15_000);

it('files of noise end in a verdict', async () => {
  for (let round = 0; round < 500; round += 1) {
    const random = randomFrom(round);
    const noise = Uint8Array.from({ length: 200 + random(3000) }, () => random(256));
    const head = buildDicom({ ...SEEDS[round % SEEDS.length], truncateTo: 132 + random(400) });
    checkConsistent(await scanDicom(bytesSource(concatBytes([head, noise]))), head.length + noise.length);
  }
});
