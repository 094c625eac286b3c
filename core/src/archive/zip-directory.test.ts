import { expect, it } from 'vitest';
import { concatBytes } from '../dicom/encode.js';
import { bytesSource } from '../dicom/source.js';
import { checkCrc32 } from './content-check.js';
import { openContent } from './entry-content.js';
import { DEFAULT_ARCHIVE_LIMITS as LIMITS } from './limits.js';
import { locateEntry } from './locate-entry.js';
import { isEntryRefusal } from './refusals.js';
import type { ZipFile, ZipOptions } from './testing/build-zip.js';
import { buildZip, extraField, numbers, unicodePathField } from './testing/build-zip.js';
import { mixedBytes } from './testing/seeded-random.js';
import { zlibInflate } from './testing/zlib-inflate.js';
import { readZipDirectory } from './zip-directory.js';

const CONTENT = mixedBytes(20_000, 1);
const FILES: ZipFile[] = [
  { path: 'study/', content: new Uint8Array(0) },
  { path: 'study/stored.dcm', content: CONTENT },
  { path: 'study/deflated.dcm', content: mixedBytes(50_000, 2), deflate: true },
  { path: 'empty.txt' },
];

/** Everything in an archive as `path: content`, read the way the worker does. */
async function readAll(archive: Uint8Array): Promise<[string, Uint8Array][]> {
  const source = bytesSource(archive);
  const { entries } = await readZipDirectory(source, LIMITS);
  const files: [string, Uint8Array][] = [];
  for (const entry of entries) {
    const step = await locateEntry(source, entry);
    if (isEntryRefusal(step)) throw new Error(`${entry.path}: ${step.code}`);
    const content = openContent(source, [step], zlibInflate);
    const chunks: Uint8Array[] = [];
    for await (const chunk of checkCrc32(content.stream(0, content.size), entry.crc32)) chunks.push(chunk);
    files.push([entry.path, concatBytes(chunks)]);
  }
  return files;
}

function expected(files: readonly ZipFile[]): [string, Uint8Array][] {
  return files
    .filter(({ path }) => !path.endsWith('/'))
    .map(({ path, content }) => [path, content ?? new Uint8Array(0)]);
}

async function listPaths(files: readonly ZipFile[], options?: ZipOptions): Promise<string[]> {
  const { entries } = await readZipDirectory(bytesSource(buildZip(files, options)), LIMITS);
  return entries.map(({ path }) => path);
}

it('reads stored, deflated and empty files, and leaves out folders', async () => {
  expect(await readAll(buildZip(FILES))).toEqual(expected(FILES));
});

it('reads an archive without files', async () => {
  const empty = bytesSource(buildZip([]));
  expect(await readZipDirectory(empty, LIMITS)).toEqual({ entries: [], salvaged: false });
});

it('tells sizes, checksum, method and place of a file', async () => {
  const { entries, salvaged } = await readZipDirectory(bytesSource(buildZip(FILES)), LIMITS);
  expect(salvaged).toBe(false);
  expect(entries[0]).toMatchObject({ storedBytes: 20_000, bytes: 20_000, method: 0, headerOffset: 36 });
  expect(entries[1]).toMatchObject({ bytes: 50_000, method: 8 });
  expect(entries[1]?.storedBytes).toBeLessThan(50_000);
});

it('reads ZIP64 archives', async () => {
  const files = FILES.map((file) => ({ ...file, zip64: true }));
  expect(await readAll(buildZip(files, { zip64: true }))).toEqual(expected(files));
  expect(await readAll(buildZip(FILES, { zip64: true, prefix: CONTENT }))).toEqual(expected(FILES));
});

it('reads only those values from the ZIP64 field that are not in the header', async () => {
  const extra = extraField(1, numbers([8, 20_000]));
  const file = { path: 'a', content: CONTENT, directory: { bytes: 0xffffffff, extra } };
  const { entries } = await readZipDirectory(bytesSource(buildZip([file])), LIMITS);
  expect(entries[0]).toMatchObject({ bytes: 20_000, storedBytes: 20_000, headerOffset: 0 });
});

it('reads files with data descriptors', async () => {
  const files = FILES.map((file) => ({ ...file, dataDescriptor: true }));
  expect(await readAll(buildZip(files))).toEqual(expected(files));
});

it('reads archives behind other bytes, whether the offsets count those or not', async () => {
  const prefix = concatBytes([new TextEncoder().encode('MZ'), mixedBytes(5_000, 3)]);
  expect(await readAll(buildZip(FILES, { prefix }))).toEqual(expected(FILES));
  expect(await readAll(buildZip(FILES, { prefix, offsetsCountPrefix: true }))).toEqual(expected(FILES));
});

it('reads archives with a comment of 64 KiB that looks like end records', async () => {
  const fakes = [
    numbers([4, 0x06054b50], [8, 0], [4, 0], [4, 0], [2, 0]),
    numbers([4, 0x06054b50], [4, 0], [2, 9], [2, 9], [4, 414], [4, 4], [2, 0]),
    new TextEncoder().encode('PK\x05\x06'),
  ];
  const comment = concatBytes([new Uint8Array(65_000).fill(0x20), ...fakes]);
  expect(await readAll(buildZip(FILES, { comment }))).toEqual(expected(FILES));
  const longest = buildZip(FILES, { comment: new Uint8Array(65_535) });
  expect(await readAll(longest)).toEqual(expected(FILES));
});

it('reads archives with a few bytes behind them', async () => {
  expect(await readAll(buildZip(FILES, { trailing: new Uint8Array(512) }))).toEqual(expected(FILES));
});

it('reads names in UTF-8, CP437 and from the Unicode path field', async () => {
  const raw = Uint8Array.of(0x4d, 0x81, 0x6c, 0x6c, 0x65, 0x72, 0x2f, 0xe1);
  const spoilt = Uint8Array.of(0x3f, 0x3f);
  const utf8 = new TextEncoder().encode('Jürgen');
  expect(
    await listPaths([
      { path: 'Röntgen/胸部.dcm' },
      { path: '', nameBytes: raw },
      { path: '', nameBytes: spoilt, extra: unicodePathField('放射線', spoilt) },
      { path: '', nameBytes: spoilt, extra: unicodePathField('other', raw) },
      { path: '', nameBytes: utf8, hostSystem: 3 },
      { path: '', nameBytes: raw, hostSystem: 3 },
    ]),
  ).toEqual(['Röntgen/胸部.dcm', 'Müller/ß', '放射線', '??', 'Jürgen', 'Müller/ß']);
});

it('cleans paths', async () => {
  const bidi = 'a\u202egpj.exe';
  expect(
    await listPaths([
      { path: './a//b/./c.dcm' },
      { path: 'DICOM\\IM1' },
      { path: 'DICOM\\' },
      { path: 'a\nb' },
      { path: bidi },
    ]),
  ).toEqual(['a/b/c.dcm', 'DICOM/IM1', 'a\ufffdb', 'a\ufffdgpj.exe']);
});

it('reads a directory of many windows with few reads', async () => {
  const files = Array.from({ length: 10_000 }, (_, index) => ({
    path: `${'d'.repeat(60)}/${index}`,
  }));
  const archive = buildZip(files);
  let reads = 0;
  const source = {
    size: archive.length,
    read: async (offset: number, length: number) => {
      reads += 1;
      return archive.subarray(offset, offset + length);
    },
  };
  const { entries } = await readZipDirectory(source, LIMITS);
  expect(entries).toHaveLength(10_000);
  expect(entries.at(-1)?.path).toBe(files.at(-1)?.path);
  expect(reads).toBeLessThan(10);
});

it('passes on the error of a source, which is no fault of the archive', async () => {
  const source = { size: 1000, read: async () => Promise.reject(new Error('Disk gone')) };
  await expect(readZipDirectory(source, LIMITS)).rejects.toThrow('Disk gone');
  const short = { size: 1000, read: async () => new Uint8Array(10) };
  await expect(readZipDirectory(short, LIMITS)).rejects.toThrow('Source returned 10 of');
});

// Made by Info-ZIP's zip 3.0 on Linux, from a pipe: `printf 'hello hello hello' | zip -q - -`.
const PIPED =
  'UEsDBC0ACAAIABWoel0AAAAA//////////8BABQALQEAEAAAAAAAAAAAAAAAAAAAAAAAy0jNyclXyECQAFBLBwiAiPnlCgAAAAAAAAARAAAAAAAAAFBLAQIeAy0ACAAIABWoel2AiPnlCgAAABEAAAABAAAAAAAAAAEAAACAEQAAAAAtUEsFBgAAAAABAAEALwAAAFUAAAAAAA==';

it('reads what Info-ZIP writes', async () => {
  const archive = Uint8Array.from(atob(PIPED), (character) => character.charCodeAt(0));
  expect(await readAll(archive)).toEqual([['-', new TextEncoder().encode('hello hello hello')]]);
});
