import { expect, it } from 'vitest';
import { bytesSource } from '../dicom/source.js';
import type { ArchiveLimits } from './limits.js';
import { DEFAULT_ARCHIVE_LIMITS as LIMITS, remainingLimits } from './limits.js';
import { locateEntry } from './locate-entry.js';
import { checkNesting } from './nesting.js';
import { ArchiveRefusal, isEntryRefusal } from './refusals.js';
import type { ZipFile, ZipOptions } from './testing/build-zip.js';
import { buildZip, numbers } from './testing/build-zip.js';
import { mixedBytes } from './testing/seeded-random.js';
import { readZipDirectory } from './zip-directory.js';

const CONTENT = mixedBytes(10_000, 1);

/** The code of the directory or of the local header for each file; `ok` for one that is taken. */
async function codesOf(
  files: readonly ZipFile[],
  options: ZipOptions = {},
  limits: Partial<ArchiveLimits> = {},
): Promise<string[]> {
  const source = bytesSource(buildZip(files, options));
  const { entries } = await readZipDirectory(source, { ...LIMITS, ...limits });
  return Promise.all(
    entries.map(async (entry) => {
      const step = await locateEntry(source, entry);
      return isEntryRefusal(step) ? step.code : 'ok';
    }),
  );
}

async function archiveCode(
  files: readonly ZipFile[],
  options: ZipOptions = {},
  limits: Partial<ArchiveLimits> = {},
): Promise<string> {
  const source = bytesSource(buildZip(files, options));
  return readZipDirectory(source, { ...LIMITS, ...limits }).then(
    () => 'taken',
    (error) => (error instanceof ArchiveRefusal ? error.code : 'fault'),
  );
}

it.each<[string, ZipFile]>([
  ['ENTRY_ENCRYPTED', { path: 'a', content: CONTENT, encrypted: true }],
  ['ENTRY_ENCRYPTED', { path: 'a', content: CONTENT, directory: { flags: 0x41 } }],
  ['ENTRY_ENCRYPTED', { path: 'a', content: CONTENT, directory: { method: 99 } }],
  ['ENTRY_METHOD_UNKNOWN', { path: 'a', content: CONTENT, directory: { method: 14 } }],
  ['ENTRY_PATH_UNSAFE', { path: '../a', content: CONTENT }],
  ['ENTRY_PATH_UNSAFE', { path: 'a/../../b', content: CONTENT }],
  ['ENTRY_PATH_UNSAFE', { path: 'a\\..\\..\\b', content: CONTENT }],
  ['ENTRY_PATH_UNSAFE', { path: '/etc/passwd', content: CONTENT }],
  ['ENTRY_PATH_UNSAFE', { path: '\\\\server\\share', content: CONTENT }],
  ['ENTRY_PATH_UNSAFE', { path: 'C:\\Windows\\a', content: CONTENT }],
  ['ENTRY_PATH_UNSAFE', { path: 'a.dcm\0.txt', content: CONTENT }],
  ['ENTRY_PATH_UNSAFE', { path: '', content: CONTENT }],
  ['ENTRY_NAME_TOO_LONG', { path: 'a'.repeat(1025), content: CONTENT }],
  ['ENTRY_NAME_TOO_LONG', { path: `${'a/'.repeat(33)}b`, content: CONTENT }],
  ['ENTRY_DAMAGED', { path: 'a', content: CONTENT, directory: { bytes: 9_999 } }],
  ['ENTRY_DAMAGED', { path: 'a', content: CONTENT, directory: { bytes: 0xffffffff } }],
  ['ENTRY_TRUNCATED', { path: 'a', content: CONTENT, directory: { storedBytes: 20_000, bytes: 20_000 } }],
  ['ENTRY_TRUNCATED', { path: 'a', content: CONTENT, directory: { headerOffset: 0xfffffff0 } }],
  ['ENTRY_TRUNCATED', { path: 'a', content: CONTENT, directory: { disk: 3 } }],
  ['ENTRY_RATIO', { path: 'a', content: CONTENT, deflate: true, directory: { bytes: 0x7fffffff } }],
  ['ENTRY_MISMATCH', { path: 'a', content: CONTENT, local: { method: 8 } }],
  ['ENTRY_MISMATCH', { path: 'a', content: CONTENT, local: { flags: 1 } }],
  ['ENTRY_MISMATCH', { path: 'a', content: CONTENT, local: { bytes: 5 } }],
  [
    'ENTRY_MISMATCH',
    { path: 'a', content: CONTENT, local: { extra: new Uint8Array(4) }, directory: { headerOffset: 36 } },
  ],
])('refuses one file with %s, and takes the others (%#)', async (code, file) => {
  expect(await codesOf([{ path: 'first' }, file, { path: 'last' }])).toEqual(['ok', code, 'ok']);
});

it('refuses a file whose local header pushes its data beyond the end', async () => {
  const archive = buildZip([{ path: 'a', content: CONTENT }]);
  archive.set([0xff, 0x7f], 28);
  const source = bytesSource(archive);
  const { entries } = await readZipDirectory(source, LIMITS);
  expect(await locateEntry(source, entries[0]!)).toMatchObject({ code: 'ENTRY_TRUNCATED' });
});

it('takes what only looks unusual', async () => {
  const files: ZipFile[] = [
    { path: 'a..b/...', content: CONTENT },
    { path: `${'a/'.repeat(32)}b` },
    { path: 'a'.repeat(1024) },
    { path: 'blank', content: new Uint8Array(4 * 1024 * 1024), deflate: true },
    { path: 'name', local: { nameBytes: new TextEncoder().encode('another name') } },
    { path: 'sizes', content: CONTENT, local: { bytes: 0, storedBytes: 0 } },
    { path: 'guesses', content: CONTENT, dataDescriptor: true, local: { bytes: 5, storedBytes: 7 } },
  ];
  expect(await codesOf(files)).toEqual(files.map(() => 'ok'));
});

it('keeps refused paths harmless', async () => {
  const source = bytesSource(buildZip([{ path: '../../x/passwd' }, { path: 'C:\\a' }, { path: '//a' }]));
  const { entries } = await readZipDirectory(source, LIMITS);
  expect(entries.map(({ path }) => path)).toEqual(['x/passwd', 'a', 'a']);
});

it('refuses what comes after the total is reached', async () => {
  const files = ['a', 'b', 'c'].map((path) => ({ path, content: CONTENT }));
  expect(await codesOf(files, {}, { maxBytes: 20_000 })).toEqual(['ok', 'ok', 'ENTRY_TOO_LARGE']);
  const left = remainingLimits({ ...LIMITS, maxBytes: 20_000 }, { entries: 3, bytes: 15_000 });
  expect(await codesOf(files, {}, left)).toEqual(['ENTRY_TOO_LARGE', 'ENTRY_TOO_LARGE', 'ENTRY_TOO_LARGE']);
  expect(left.maxEntries).toBe(LIMITS.maxEntries - 3);
});

it('refuses files that share their data, all but the first', async () => {
  const twins = [0, 0, 0].map((sharesDataOf, index) => ({
    path: `${index}`,
    content: CONTENT,
    sharesDataOf,
  }));
  const files = [{ path: 'kernel', content: CONTENT }, ...twins, { path: 'after' }];
  const overlaps = twins.map(() => 'ENTRY_OVERLAPS');
  expect(await codesOf(files)).toEqual(['ok', ...overlaps, 'ok']);
});

it('refuses files that quote the headers behind them, as the zip bomb without nesting does', async () => {
  const inner = Array.from({ length: 20 }, (_, index) => ({ path: `f${index}`, content: CONTENT }));
  const lengths = inner.map((_, index) => buildZip(inner.slice(index), { omitDirectory: true }).length);
  const files = inner.map((file, index) => {
    const rest = (lengths[index] ?? 0) - 30 - file.path.length;
    const directory = { storedBytes: rest, bytes: rest };
    return { ...file, directory };
  });
  const codes = await codesOf(files);
  expect(codes.slice(1)).toEqual(files.slice(1).map(() => 'ENTRY_OVERLAPS'));
});

it('refuses archives with too many files, by the claim or by the count', async () => {
  const files = Array.from({ length: 11 }, (_, index) => ({ path: `${index}` }));
  expect(await archiveCode(files, {}, { maxEntries: 10 })).toBe('ARCHIVE_TOO_MANY_ENTRIES');
  expect(await archiveCode(files, { entries: 1 }, { maxEntries: 10 })).toBe('ARCHIVE_TOO_MANY_ENTRIES');
  expect(await archiveCode(files, { omitDirectory: true }, { maxEntries: 10 })).toBe(
    'ARCHIVE_TOO_MANY_ENTRIES',
  );
  expect(await archiveCode(files, { zip64: true, entries: 1_000_001 })).toBe('ARCHIVE_TOO_MANY_ENTRIES');
});

it('refuses archives whose directory is too large', async () => {
  expect(await archiveCode([{ path: 'a' }], {}, { maxDirectoryBytes: 40 })).toBe('ARCHIVE_TOO_LARGE');
});

it('refuses parts of a split archive', async () => {
  expect(await archiveCode([{ path: 'a' }], { disk: 2 })).toBe('ARCHIVE_SPLIT');
  const mark = numbers([4, 0x08074b50]);
  expect(await archiveCode([{ path: 'a', content: CONTENT }], { prefix: mark, truncateTo: 900 })).toBe(
    'ARCHIVE_SPLIT',
  );
});

it('refuses what is no archive, or ends before its first file begins', async () => {
  expect(await archiveCode([], { prefix: CONTENT, truncateTo: 10_000 })).toBe('ARCHIVE_DAMAGED');
  expect(await archiveCode([], { truncateTo: 0 })).toBe('ARCHIVE_DAMAGED');
  expect(await archiveCode([{ path: 'a' }], { truncateTo: 20 })).toBe('ARCHIVE_TRUNCATED');
});

it('ends at archives within archives', () => {
  expect(() => checkNesting(1, LIMITS)).not.toThrow();
  expect(() => checkNesting(2, LIMITS)).toThrow(ArchiveRefusal);
});
