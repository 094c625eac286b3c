import { gzipSync } from 'fflate';
import { expect, it } from 'vitest';
import { concatBytes } from '../dicom/encode.js';
import { bytesSource } from '../dicom/source.js';
import { Crc32 } from './crc32.js';
import { openContent } from './entry-content.js';
import { readGzipMember } from './gzip-member.js';
import { DEFAULT_ARCHIVE_LIMITS as LIMITS } from './limits.js';
import { ContentDamaged, isEntryRefusal } from './refusals.js';
import { numbers } from './testing/build-zip.js';
import { mixedBytes } from './testing/seeded-random.js';
import { zlibInflate } from './testing/zlib-inflate.js';

const CONTENT = mixedBytes(20_000, 1);
const PLAIN = gzipSync(CONTENT, { mtime: 0 });
const BODY = PLAIN.subarray(10);
const text = (value: string) => new TextEncoder().encode(`${value}\0`);

async function codeOf(gzip: Uint8Array, limits = LIMITS): Promise<string> {
  const member = await readGzipMember(bytesSource(gzip), limits);
  return isEntryRefusal(member) ? member.code : 'ok';
}

/** A member with the optional fields of these flags. */
function withHeader(flags: number, ...fields: Uint8Array[]): Uint8Array {
  const head = concatBytes([numbers([2, 0x8b1f], [1, 8], [1, flags], [6, 0]), ...fields]);
  const crc = flags & 2 ? numbers([2, new Crc32().update(head).value]) : new Uint8Array(0);
  return concatBytes([head, crc, BODY]);
}

it.each([
  ['no fields', PLAIN, undefined],
  ['a name', withHeader(8, text('brain.nii')), 'brain.nii'],
  ['a path for a name', withHeader(8, text('C:\\scans\\brain.nii')), 'brain.nii'],
  ['a name in Latin-1', withHeader(8, Uint8Array.of(0x4d, 0xfc, 0)), 'Mü'],
  ['a name that climbs', withHeader(8, text('..')), undefined],
  ['all fields', withHeader(0x1e, numbers([2, 3], [3, 7]), text('a'), text('comment')), 'a'],
  ['a long extra field', withHeader(0x0c, numbers([2, 60_000]), new Uint8Array(60_000), text('b')), 'b'],
])('reads a file with %s', async (_, gzip, name) => {
  const source = bytesSource(gzip);
  const member = await readGzipMember(source, LIMITS);
  if (isEntryRefusal(member)) throw new Error(member.code);
  expect(member.name).toBe(name);
  expect(member.crc32).toBe(new Crc32().update(CONTENT).value);
  const content = openContent(source, [member.step], zlibInflate);
  expect(await content.read(0, content.size)).toEqual(CONTENT);
});

it('refuses damaged and cut headers', async () => {
  const wrongCrc = withHeader(0x0a, text('a'));
  wrongCrc[12] = 1;
  expect(await codeOf(wrongCrc)).toBe('ENTRY_DAMAGED');
  expect(await codeOf(withHeader(0x20))).toBe('ENTRY_DAMAGED');
  expect(await codeOf(new Uint8Array(100))).toBe('ENTRY_DAMAGED');
  expect(await codeOf(Uint8Array.of(0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 0))).toBe('ENTRY_METHOD_UNKNOWN');
  expect(await codeOf(withHeader(8, text('name')).subarray(0, 12))).toBe('ENTRY_TRUNCATED');
  expect(await codeOf(PLAIN.subarray(0, 9))).toBe('ENTRY_TRUNCATED');
  expect(await codeOf(PLAIN.subarray(0, 18))).toBe('ENTRY_TRUNCATED');
  const endless = concatBytes([withHeader(8).subarray(0, 10), new Uint8Array(300_000).fill(0x61)]);
  expect(await codeOf(endless)).toBe('ENTRY_DAMAGED');
});

it('refuses sizes that cannot be, or must not', async () => {
  const claiming = (bytes: number) => concatBytes([PLAIN.subarray(0, -4), numbers([4, bytes])]);
  expect(await codeOf(claiming(0xffffffff))).toBe('ENTRY_DAMAGED');
  expect(await codeOf(claiming(PLAIN.length * 500))).toBe('ENTRY_RATIO');
  expect(await codeOf(PLAIN, { ...LIMITS, maxBytes: 19_999 })).toBe('ENTRY_TOO_LARGE');
});

it('refuses several members', async () => {
  const small = gzipSync(CONTENT.subarray(0, 100));
  expect(await codeOf(concatBytes([PLAIN, small]))).toBe('GZIP_SEVERAL_MEMBERS');
  const blocked = withHeader(4, numbers([2, 6], [2, 0x4342], [2, 2], [2, 50]));
  expect(await codeOf(blocked)).toBe('GZIP_SEVERAL_MEMBERS');
});

it('finds further members by the size, at the latest', async () => {
  const both = bytesSource(concatBytes([gzipSync(CONTENT.subarray(0, 10_000)), PLAIN]));
  const member = await readGzipMember(both, LIMITS);
  if (isEntryRefusal(member)) throw new Error(member.code);
  const content = openContent(both, [member.step], zlibInflate);
  await expect(content.read(0, content.size)).rejects.toBeInstanceOf(ContentDamaged);
});
