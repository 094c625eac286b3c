import { gzipSync } from 'node:zlib';
import { buildZip } from '@relaypacs/core/archive/testing/build-zip.js';
import { buildDicom, makeSlice } from '@relaypacs/core/dicom/testing/build.js';
import { expect, it } from 'vitest';
import { inspectFile } from './inspect-file.js';
import type { Inspection } from './inspection.js';
import { heicPhoto, jpegPhoto } from './testing/photos.js';

const inspect = (bytes: Uint8Array) => inspectFile(new Blob([bytes.slice()]));
const kinds = (inspection: Inspection) =>
  inspection.kind === 'archive'
    ? inspection.entries.map(({ path, inspection: within }) => [path, within.kind])
    : inspection;

it('tells what a file is by its first bytes', async () => {
  expect((await inspect(makeSlice())).kind).toBe('usable');
  expect(await inspect(jpegPhoto(40))).toEqual({ kind: 'image', format: 'jpeg', width: 40, height: 30 });
  expect(await inspect(heicPhoto({ original: '2026:01:14 10:05:00' }))).toEqual({
    kind: 'heic',
    takenOn: '2026-01-14',
  });
});

it('takes DICOM whose preamble looks like a photo or an archive for DICOM', async () => {
  for (const start of [
    [0xff, 0xd8, 0xff],
    [0x50, 0x4b, 3, 4],
    [0x1f, 0x8b, 8],
  ]) {
    const preamble = new Uint8Array(128);
    preamble.set(start);
    expect((await inspect(buildDicom({ preamble }))).kind).toBe('usable');
  }
});

it('opens a ZIP and a ZIP within it, but nothing deeper, as the server does', async () => {
  const image = makeSlice();
  const innermost = buildZip([{ path: 'IM3', content: image }]);
  const inner = buildZip([
    { path: 'IM2', content: image, deflate: true },
    { path: 'deeper.zip', content: innermost },
  ]);
  const zip = buildZip([
    { path: 'A/IM1', content: image, deflate: true },
    { path: 'inner.zip', content: inner, deflate: true },
    { path: 'IM4.gz', content: gzipSync(image) },
  ]);
  expect(kinds(await inspect(zip))).toEqual([
    ['A/IM1', 'usable'],
    ['inner.zip/IM2', 'usable'],
    ['inner.zip/deeper.zip', 'refused'],
    ['IM4.gz', 'refused'],
  ]);
});

it('opens a gzipped image, and a gzipped ZIP', async () => {
  expect(kinds(await inspect(gzipSync(makeSlice())))).toEqual([['content', 'usable']]);
  const zip = buildZip([{ path: 'IM1', content: makeSlice() }]);
  expect(kinds(await inspect(gzipSync(zip)))).toEqual([['content/IM1', 'usable']]);
});

it('says what is wrong with an archive that cannot be opened', async () => {
  const zip = buildZip([{ path: 'IM1', content: makeSlice() }]);
  expect(await inspect(zip.subarray(0, 20))).toEqual({
    kind: 'other',
    wanted: true,
    reason: expect.stringMatching(/cut off/),
  });
});

it('still takes what is whole in an archive that was cut off, and says that more may be missing', async () => {
  const zip = buildZip([
    { path: 'IM1', content: makeSlice() },
    { path: 'IM2', content: makeSlice() },
  ]);
  const cut = await inspect(zip.subarray(0, zip.length - 400));
  expect(cut).toMatchObject({ kind: 'archive', remark: expect.stringMatching(/may be missing/) });
  expect(kinds(cut)).toEqual([
    ['IM1', 'usable'],
    ['IM2', 'refused'],
  ]);
});

it('does not take a corrupt entry for the fault of the others', async () => {
  const content = makeSlice();
  const zip = buildZip([
    {
      path: 'IM1',
      content,
      stored: new Uint8Array(300).fill(0xff),
      local: { method: 8 },
      directory: { method: 8 },
    },
    { path: 'IM2', content },
  ]);
  expect(kinds(await inspect(zip))).toEqual([
    ['IM1', 'refused'],
    ['IM2', 'usable'],
  ]);
});
