import { expect, it } from 'vitest';
import { concatBytes } from '../dicom/encode.js';
import { bytesSource } from '../dicom/source.js';
import { openContent } from './entry-content.js';
import { DEFAULT_ARCHIVE_LIMITS as LIMITS } from './limits.js';
import { locateEntry } from './locate-entry.js';
import { ArchiveRefusal, ContentDamaged, isEntryRefusal } from './refusals.js';
import type { ZipFile } from './testing/build-zip.js';
import { buildZip, numbers } from './testing/build-zip.js';
import { mixedBytes } from './testing/seeded-random.js';
import { zlibInflate } from './testing/zlib-inflate.js';
import { readZipDirectory } from './zip-directory.js';

const FILES: ZipFile[] = [
  { path: 'folder/' },
  { path: 'one', content: mixedBytes(3_000, 1) },
  { path: 'two', content: mixedBytes(9_000, 2), deflate: true },
  { path: 'three', content: mixedBytes(2_000, 3), zip64: true },
];

async function listOf(archive: Uint8Array): Promise<{ salvaged: boolean; files: string[] }> {
  const { entries, salvaged } = await readZipDirectory(bytesSource(archive), LIMITS);
  return { salvaged, files: entries.map(({ path, refusal }) => `${path} ${refusal?.code ?? 'ok'}`) };
}

it('lists the files of an archive without a directory', async () => {
  const files = ['one ok', 'two ok', 'three ok'];
  expect(await listOf(buildZip(FILES, { omitDirectory: true }))).toEqual({ salvaged: true, files });
  expect(await listOf(buildZip(FILES, { omitEnd: true }))).toEqual({ salvaged: true, files });
});

it('refuses the file at the cut and takes those before it', async () => {
  const whole = buildZip(FILES, { omitDirectory: true });
  expect(await listOf(whole.subarray(0, whole.length - 1))).toEqual({
    salvaged: true,
    files: ['one ok', 'two ok', 'three ENTRY_TRUNCATED'],
  });
});

it('ends at a file whose size is not known', async () => {
  const files = FILES.map((file) => (file.path === 'two' ? { ...file, dataDescriptor: true } : file));
  expect(await listOf(buildZip(files, { omitDirectory: true }))).toEqual({
    salvaged: true,
    files: ['one ok', 'two ENTRY_TRUNCATED'],
  });
});

it('does not take the files of an archive within for those of a cut one', async () => {
  const files = [{ path: 'nested.zip', content: buildZip(FILES), dataDescriptor: true }];
  expect((await listOf(buildZip(files, { omitDirectory: true }))).files).toEqual([
    'nested.zip ENTRY_TRUNCATED',
  ]);
});

it('tells when the directory holds fewer or more files than it should', async () => {
  const files = ['one ok', 'two ok', 'three ok'];
  expect(await listOf(buildZip(FILES, { entries: 2 }))).toEqual({ salvaged: true, files });
  expect(await listOf(buildZip(FILES, { entries: 9 }))).toEqual({ salvaged: true, files });
});

it('skips the mark of an archive that was to be split', async () => {
  const prefix = numbers([4, 0x30304b50]);
  expect((await listOf(buildZip(FILES, { prefix, omitDirectory: true }))).files).toHaveLength(3);
});

it('takes what a damaged directory still lists when the headers tell less', async () => {
  const files = FILES.map((file) => ({ ...file, dataDescriptor: true }));
  const archive = buildZip(files);
  const last = archive.length - 22 - (46 + 5 + 28);
  archive.set([0, 0, 0, 0], last);
  expect(await listOf(archive)).toEqual({ salvaged: true, files: ['one ok', 'two ok'] });
});

it('takes the local headers when the directory is damaged', async () => {
  const archive = buildZip(FILES);
  archive.set([0, 0, 0, 0], archive.length - 22 - (46 + 5 + 28));
  expect((await listOf(archive)).files).toEqual(['one ok', 'two ok', 'three ok']);
});

it('does not take an archive within a cut one for the whole', async () => {
  const inner = buildZip([{ path: 'inner', content: mixedBytes(500, 4) }]);
  const whole = buildZip([...FILES, { path: 'nested.zip', content: inner }], { omitDirectory: true });
  const list = await listOf(concatBytes([whole, new Uint8Array(9)]));
  expect(list.files).toEqual(['one ok', 'two ok', 'three ok', 'nested.zip ok']);
  expect(list.salvaged).toBe(true);
});

it('reads an archive cut at every 97th byte as far as it goes', async () => {
  const deep = buildZip([{ path: 'x', content: mixedBytes(2_000, 5), deflate: true }]);
  const files = [
    ...FILES,
    { path: 'nested.zip', content: deep },
    { path: 'last', content: deep, deflate: true },
  ];
  const whole = buildZip(files, { comment: new Uint8Array(200), zip64: true });
  for (let length = 0; length < whole.length; length += 97) {
    const source = bytesSource(whole.subarray(0, length));
    const list = await readZipDirectory(source, LIMITS).catch((error: unknown) => {
      if (error instanceof ArchiveRefusal) return undefined;
      throw new Error(`Cut at ${length}`, { cause: error });
    });
    for (const entry of list?.entries ?? []) {
      const step = await locateEntry(source, entry);
      if (isEntryRefusal(step)) continue;
      const content = openContent(source, [step], zlibInflate);
      const bytes = await content.read(0, content.size).catch((error: unknown) => {
        if (!(error instanceof ContentDamaged)) throw new Error(`Cut at ${length}`, { cause: error });
      });
      // What is taken of a cut archive is whole.
      const original = files.find(({ path }) => path === entry.path);
      expect(bytes, `${entry.path} cut at ${length}`).toEqual(original?.content);
    }
  }
});
