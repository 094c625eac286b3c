import { deflateSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../dicom/encode.js';
import type { ByteSource } from '../dicom/source.js';
import { bytesSource } from '../dicom/source.js';
import type { ContentStep } from './content-step.js';
import type { InflateRaw } from './entry-content.js';
import { openContent } from './entry-content.js';
import { fflateInflate } from './fflate-inflate.js';
import { DEFAULT_ARCHIVE_LIMITS as LIMITS } from './limits.js';
import { locateEntry } from './locate-entry.js';
import { ContentDamaged, isEntryRefusal } from './refusals.js';
import { buildZip } from './testing/build-zip.js';
import { mixedBytes, randomFrom } from './testing/seeded-random.js';
import { zlibInflate } from './testing/zlib-inflate.js';
import { readZipDirectory } from './zip-directory.js';

const CONTENT = mixedBytes(2_000_000, 1);
const DEFLATED = deflateSync(CONTENT);

function stepOver(deflated: Uint8Array, bytes = CONTENT.length): ContentStep {
  return { offset: 0, storedBytes: deflated.length, bytes, deflated: true };
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return concatBytes(parts);
}

/** `toEqual` compares byte by byte in JavaScript, which takes seconds for a megabyte. */
function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  expect(Buffer.compare(actual, expected)).toBe(0);
}

/** Counts how often inflating began. */
function counting(inflate: InflateRaw): { inflate: InflateRaw; starts: () => number; open: () => number } {
  let starts = 0;
  let open = 0;
  async function* counted(chunks: AsyncIterable<Uint8Array>) {
    starts += 1;
    open += 1;
    try {
      yield* inflate(chunks);
    } finally {
      open -= 1;
    }
  }
  return { inflate: counted, starts: () => starts, open: () => open };
}

/** The step to the first file of an archive. */
async function firstStep(source: ByteSource): Promise<ContentStep> {
  const { entries } = await readZipDirectory(source, LIMITS);
  const step = await locateEntry(source, entries[0]!);
  if (isEntryRefusal(step)) throw new Error(step.code);
  return step;
}

describe.each([
  ['zlib', zlibInflate],
  ['fflate', fflateInflate],
])('inflated by %s', (_, inflate) => {
  it('gives the plain content at random offsets', async () => {
    const content = openContent(bytesSource(DEFLATED), [stepOver(DEFLATED)], inflate);
    const random = randomFrom(7);
    for (let round = 0; round < 60; round += 1) {
      const offset = random(CONTENT.length);
      const length = random(200_000);
      const bytes = await content.read(offset, length);
      expectBytes(bytes, CONTENT.slice(offset, offset + length));
    }
    expect(await content.read(CONTENT.length, 10)).toHaveLength(0);
    await content.close();
  });

  it('streams ranges', async () => {
    const content = openContent(bytesSource(DEFLATED), [stepOver(DEFLATED)], inflate);
    expectBytes(await collect(content.stream(0, CONTENT.length)), CONTENT);
    expectBytes(await collect(content.stream(70_001, 5)), CONTENT.slice(70_001, 70_006));
    expectBytes(await collect(content.stream(1_900_000, 1e9)), CONTENT.slice(1_900_000));
  });

  it('reads through an archive within an archive, deflated both times', async () => {
    const inner = buildZip([{ path: 'image.dcm', content: CONTENT, deflate: true }]);
    const outer = bytesSource(buildZip([{ path: 'inner.zip', content: inner, deflate: true }]));
    const outerStep = await firstStep(outer);
    const nested = openContent(outer, [outerStep], inflate);
    const innerStep = await firstStep(nested);
    const content = openContent(outer, [outerStep, innerStep], inflate);
    expect(content.size).toBe(CONTENT.length);
    expectBytes(await content.read(1_500_000, 100), CONTENT.slice(1_500_000, 1_500_100));
    expectBytes(await collect(content.stream(0, content.size)), CONTENT);
    await Promise.all([content.close(), nested.close()]);
  });

  it.each([
    ['more bytes than announced', DEFLATED, CONTENT.length - 1],
    ['fewer bytes than announced', DEFLATED, CONTENT.length + 1],
    ['a cut stream', DEFLATED.subarray(0, DEFLATED.length / 2), CONTENT.length],
    ['an illegible stream', new Uint8Array(5_000).fill(0xff), 10_000],
    ['no stream', new Uint8Array(0), 10],
  ])('finds %s damaged', async (_case, deflated, bytes) => {
    const content = openContent(bytesSource(deflated), [stepOver(deflated, bytes)], inflate);
    await expect(collect(content.stream(0, bytes))).rejects.toBeInstanceOf(ContentDamaged);
    await content.close();
  });

  it('ends at a stream of empty blocks', async () => {
    const empty = new Uint8Array(1_000_000).map((_byte, index) => [0, 0, 0, 0xff, 0xff][index % 5] ?? 0);
    const content = openContent(bytesSource(empty), [stepOver(empty, 10)], inflate);
    await expect(content.read(0, 10)).rejects.toBeInstanceOf(ContentDamaged);
  });

  it('stops soon after the announced size, whatever the stream would grow to', async () => {
    const zeros = deflateSync(new Uint8Array(24 * 1024 * 1024));
    let produced = 0;
    const metered: InflateRaw = async function* (chunks) {
      for await (const chunk of inflate(chunks)) {
        produced += chunk.length;
        yield chunk;
      }
    };
    const content = openContent(bytesSource(zeros), [stepOver(zeros, 1_000_000)], metered);
    await expect(content.read(999_999, 1)).rejects.toBeInstanceOf(ContentDamaged);
    expect(produced).toBeLessThan(10 * 1024 * 1024);
  });

  it('passes on the fault of the source as it is', async () => {
    const source = { size: DEFLATED.length, read: async () => Promise.reject(new Error('Disk gone')) };
    const content = openContent(source, [stepOver(DEFLATED)], inflate);
    await expect(content.read(0, 10)).rejects.toThrow('Disk gone');
  });
});

it('finds content damaged that goes on behind a chunk which ends where it should', async () => {
  async function* tooMany() {
    yield new Uint8Array(10);
    yield new Uint8Array(1);
  }
  const content = openContent(bytesSource(DEFLATED), [stepOver(DEFLATED, 10)], tooMany);
  await expect(content.read(0, 5)).rejects.toBeInstanceOf(ContentDamaged);
});

it('does not let fflate gather what follows the end of a stream', async () => {
  async function* followed() {
    yield deflateSync(new Uint8Array(100));
    yield new Uint8Array(600_000);
  }
  await expect(collect(fflateInflate(followed()))).rejects.toBeInstanceOf(ContentDamaged);
});

it('reads stored content in place, and streams it where the source can', async () => {
  const step = { offset: 500, storedBytes: 1_000_000, bytes: 1_000_000, deflated: false };
  const expected = CONTENT.slice(500, 1_000_500);
  const plain = openContent(bytesSource(CONTENT), [step], zlibInflate);
  expectBytes(await plain.read(999_990, 100), expected.slice(999_990));
  expectBytes(await collect(plain.stream(0, 1_000_000)), expected);
  const asked: number[][] = [];
  const streaming = {
    ...bytesSource(CONTENT),
    stream: async function* (offset: number, length: number) {
      asked.push([offset, length]);
      yield CONTENT.subarray(offset, offset + length);
    },
  };
  expectBytes(await collect(openContent(streaming, [step], zlibInflate).stream(10, 1e9)), expected.slice(10));
  expect(asked).toEqual([[510, 999_990]]);
});

it('is the source itself without steps', async () => {
  const content = openContent(bytesSource(CONTENT), [], zlibInflate);
  expect(content.size).toBe(CONTENT.length);
  expectBytes(await content.read(5, 5), CONTENT.slice(5, 10));
});

it('refuses steps that lead beyond what surrounds them', () => {
  const open = (step: ContentStep) => () =>
    openContent(bytesSource(new Uint8Array(100)), [step], zlibInflate);
  expect(open({ offset: 90, storedBytes: 11, bytes: 11, deflated: false })).toThrow(ContentDamaged);
  expect(open({ offset: -1, storedBytes: 11, bytes: 11, deflated: true })).toThrow(ContentDamaged);
  expect(open({ offset: 0, storedBytes: 11, bytes: 12, deflated: false })).toThrow(ContentDamaged);
});

it('inflates once for reads that go forward, back by less than a window, or to the start', async () => {
  const counted = counting(zlibInflate);
  const content = openContent(bytesSource(DEFLATED), [stepOver(DEFLATED)], counted.inflate);
  for (let offset = 0; offset < CONTENT.length; offset += 100_000) {
    await content.read(offset, 65_536);
    await content.read(Math.max(0, offset - 30_000), 20_000);
    await content.read(100, 1_000);
  }
  expect(counted.starts()).toBe(1);
});

it('lets four readers at different places go on without starting anew', async () => {
  const counted = counting(zlibInflate);
  const content = openContent(bytesSource(DEFLATED), [stepOver(DEFLATED)], counted.inflate);
  const positions = [1_500_000, 1_000_000, 500_000, 100_000];
  for (let round = 0; round < 20; round += 1) {
    const reads = await Promise.all(positions.map((start) => content.read(start + round * 20_000, 20_000)));
    reads.forEach((bytes, index) => {
      const start = positions[index]! + round * 20_000;
      expectBytes(bytes, CONTENT.slice(start, start + 20_000));
    });
  }
  expect(counted.starts()).toBe(4);
  expect(counted.open()).toBe(4);
  await content.close();
  expect(counted.open()).toBe(0);
});

it('serves more readers than it keeps positions', async () => {
  const counted = counting(zlibInflate);
  const content = openContent(bytesSource(DEFLATED), [stepOver(DEFLATED)], counted.inflate);
  const starts = Array.from({ length: 12 }, (_, index) => 150_000 + index * 150_000);
  const reads = await Promise.all(starts.map((start) => collect(content.stream(start, 50_000))));
  reads.forEach((bytes, index) => {
    expectBytes(bytes, CONTENT.slice(starts[index]!, starts[index]! + 50_000));
  });
  expect(counted.open()).toBeLessThanOrEqual(4);
});

it('lets a reader read elsewhere while it streams', async () => {
  const content = openContent(bytesSource(DEFLATED), [stepOver(DEFLATED)], zlibInflate);
  let streamed = 0;
  for await (const chunk of content.stream(0, 400_000)) {
    expectBytes(
      await content.read(1_000_000 + streamed, 10),
      CONTENT.slice(1_000_000 + streamed, 1_000_010 + streamed),
    );
    streamed += chunk.length;
  }
  expect(streamed).toBe(400_000);
});

it('rejects reads once it is closed', async () => {
  const content = openContent(bytesSource(DEFLATED), [stepOver(DEFLATED)], zlibInflate);
  const stream = content.stream(0, CONTENT.length)[Symbol.asyncIterator]();
  await stream.next();
  await content.close();
  await expect(content.read(0, 10)).rejects.toThrow('closed');
  await expect(stream.next()).rejects.toThrow('closed');
});
