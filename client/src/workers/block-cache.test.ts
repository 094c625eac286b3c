import { bytesSource } from '@relaypacs/core/dicom/source.js';
import { expect, it } from 'vitest';
import { BlockCache } from './block-cache.js';

const BLOCK = 256 * 1024;
const bytes = Uint8Array.from({ length: 3 * BLOCK + 100 }, (_, index) => (index * 7) % 251);

function counted() {
  const reads: number[] = [];
  const source = bytesSource(bytes);
  return {
    reads,
    cache: new BlockCache({
      size: source.size,
      read: (offset, length) => {
        reads.push(offset);
        return source.read(offset, length);
      },
    }),
  };
}

it('gives the bytes that are asked for, wherever they lie', async () => {
  const { cache } = counted();
  for (const [offset, length] of [
    [0, 0],
    [5, 10],
    [BLOCK - 5, 10],
    [BLOCK, BLOCK],
    [BLOCK - 1, BLOCK],
    [10, 2 * BLOCK],
    [3 * BLOCK + 90, 100],
    [bytes.length, 10],
  ] as const) {
    const read = await cache.read(offset, length);
    // Quicker than `toEqual` by far.
    expect(Buffer.from(read).equals(bytes.subarray(offset, offset + length))).toBe(true);
  }
});

it('reads a block once for many small reads, also for those at the same time', async () => {
  const { cache, reads } = counted();
  await Promise.all(Array.from({ length: 100 }, (_, index) => cache.read(index * 1000, 30)));
  expect(reads).toEqual([0]);
});
