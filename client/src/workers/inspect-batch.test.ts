import { buildZip } from '@relaypacs/core/archive/testing/build-zip.js';
import { makeSlice } from '@relaypacs/core/dicom/testing/build.js';
import { expect, it } from 'vitest';
import { inspectBatch } from './inspect-batch.js';

it('tells of every file exactly once, however often it tells', async () => {
  const files = Array.from({ length: 40 }, (_, index) => ({
    index,
    file: new File([index % 3 === 0 ? 'no image' : makeSlice().slice()], `IM${index}`),
  }));
  for (const everyMs of [0, 1, 60_000]) {
    const told: number[] = [];
    await inspectBatch(files, ({ inspected }) => told.push(...inspected.map(({ index }) => index)), everyMs);
    expect(told.sort((a, b) => a - b)).toEqual(files.map(({ index }) => index));
  }
});

it('tells how far the reading of an archive is', async () => {
  const slices = Array.from({ length: 10 }, (_, index) => ({ path: `IM${index}`, content: makeSlice() }));
  const files = [{ index: 0, file: new File([buildZip(slices).slice()], 'disc.zip') }];
  const told: number[][] = [];
  await inspectBatch(files, ({ entriesFound, entriesLooked }) => told.push([entriesFound, entriesLooked]), 0);
  expect(told[0]).toEqual([10, 0]);
  expect(told.at(-1)).toEqual([10, 10]);
  expect(told.length).toBeGreaterThan(5);
});
