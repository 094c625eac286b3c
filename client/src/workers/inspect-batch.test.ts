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
    await inspectBatch(files, (inspected) => told.push(...inspected.map(({ index }) => index)), everyMs);
    expect(told.sort((a, b) => a - b)).toEqual(files.map(({ index }) => index));
  }
});
