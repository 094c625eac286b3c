import { expect, it } from 'vitest';
import { concatBytes } from '../dicom/encode.js';
import { bytesSource } from '../dicom/source.js';
import { checkCrc32 } from './content-check.js';
import { openContent } from './entry-content.js';
import { fflateInflate } from './fflate-inflate.js';
import { readGzipMember } from './gzip-member.js';
import type { ArchiveLimits } from './limits.js';
import { DEFAULT_ARCHIVE_LIMITS } from './limits.js';
import { locateEntry } from './locate-entry.js';
import { ArchiveRefusal, ContentDamaged, isEntryRefusal } from './refusals.js';
import { buildZip, unicodePathField } from './testing/build-zip.js';
import { mixedBytes, randomFrom } from './testing/seeded-random.js';
import { zlibInflate } from './testing/zlib-inflate.js';
import { readZipDirectory } from './zip-directory.js';

const LIMITS: ArchiveLimits = { ...DEFAULT_ARCHIVE_LIMITS, maxBytes: 1_000_000, maxEntries: 50 };
const INNER = buildZip([
  { path: 'x', content: mixedBytes(600, 5), deflate: true },
  { path: 'y', content: mixedBytes(300, 6) },
]);
const FILES = [
  { path: 'folder/' },
  { path: 'folder/a', content: mixedBytes(1_500, 1), deflate: true },
  { path: 'b', content: mixedBytes(700, 2) },
  { path: 'c.zip', content: INNER },
  { path: 'ü', content: mixedBytes(900, 3), deflate: true, extra: unicodePathField('ü', Uint8Array.of(1)) },
];
const SEEDS = [
  buildZip(FILES),
  buildZip(FILES.map((file) => ({ ...file, dataDescriptor: true }))),
  buildZip(
    FILES.map((file) => ({ ...file, zip64: true })),
    { zip64: true },
  ),
  buildZip(FILES, { prefix: new Uint8Array(60), comment: INNER }),
  buildZip(FILES, { omitDirectory: true }),
  INNER,
];

const NUMBERS = [0, 1, 8, 20, 0xff, 0xffff, 0x10000, 0x7fffffff, 0xfffffffe, 0xffffffff];
const SIGNATURES = [0x04034b50, 0x02014b50, 0x06054b50, 0x06064b50, 0x07064b50, 0x08074b50];

/** One change: a byte, a cut, a number, a signature, a splice of the archive's own bytes, or a gap. */
function mutate(original: Uint8Array, random: (below: number) => number): Uint8Array {
  const bytes = original.slice();
  const view = new DataView(bytes.buffer);
  // Half of the changes go to the end, where the directory lies.
  const at = random(2) === 0 ? random(bytes.length) : Math.max(0, bytes.length - 1 - random(450));
  const from = random(bytes.length);
  switch (random(7)) {
    case 0:
      bytes[at] = random(256);
      return bytes;
    case 1:
      return bytes.subarray(0, at);
    case 2:
      if (at + 4 <= bytes.length) view.setUint32(at, NUMBERS[random(NUMBERS.length)] ?? 0, true);
      return bytes;
    case 3:
      if (at + 2 <= bytes.length) view.setUint16(at, NUMBERS[random(NUMBERS.length)] ?? 0, true);
      return bytes;
    case 4:
      if (at + 4 <= bytes.length) view.setUint32(at, SIGNATURES[random(SIGNATURES.length)] ?? 0, true);
      return bytes;
    case 5:
      return concatBytes([
        bytes.subarray(0, at),
        bytes.subarray(from, from + random(400)),
        bytes.subarray(at),
      ]);
    default:
      return concatBytes([bytes.subarray(0, at), bytes.subarray(at + 1 + random(40))]);
  }
}

/** Reads everything in an archive as far as it can be read. @returns files that were legible */
async function readAll(archive: Uint8Array, round: number): Promise<number | undefined> {
  const source = bytesSource(archive);
  const list = await readZipDirectory(source, LIMITS).catch((error: unknown) => {
    if (error instanceof ArchiveRefusal) return undefined;
    throw error;
  });
  if (list === undefined) return undefined;
  expect(list.entries.length).toBeLessThanOrEqual(LIMITS.maxEntries);
  let total = 0;
  let legible = 0;
  for (const entry of list.entries) {
    expect(entry.path).not.toMatch(/(^|\/)\.\.?(\/|$)|^\/|\0|\\/);
    const step = await locateEntry(source, entry);
    if (isEntryRefusal(step)) continue;
    try {
      const content = openContent(source, [step], round % 2 === 0 ? zlibInflate : fflateInflate);
      const chunks = checkCrc32(content.stream(0, content.size), entry.crc32);
      for await (const chunk of chunks) total += chunk.length;
      await content.close();
      legible += 1;
    } catch (error) {
      if (!(error instanceof ContentDamaged)) throw error;
    }
  }
  expect(total).toBeLessThanOrEqual(LIMITS.maxBytes);
  return legible;
}

it('3,000 spoilt archives are read as far as they can be, soon and within bounds', async () => {
  const outcomes = { refused: 0, nothing: 0, some: 0 };
  let slowestMs = 0;
  for (let round = 0; round < 3_000; round += 1) {
    const random = randomFrom(round);
    let bytes = SEEDS[round % SEEDS.length] ?? new Uint8Array(0);
    for (let change = 0; change <= random(4); change += 1)
      if (bytes.length > 0) bytes = mutate(bytes, random);
    const startedAt = performance.now();
    const legible = await readAll(bytes, round).catch((cause: unknown) => {
      throw new Error(`Round ${round} threw`, { cause });
    });
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    outcomes[legible === undefined ? 'refused' : legible === 0 ? 'nothing' : 'some'] += 1;
  }
  expect(slowestMs).toBeLessThan(2_000);
  // All three come about, or the changes would be too wild or too tame to test anything.
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(20);
}, 60_000);

it('spoilt gzip files are read as far as they can be', async () => {
  const { gzipSync } = await import('fflate');
  const whole = gzipSync(mixedBytes(3_000, 8), { filename: 'a.dcm' });
  for (let round = 0; round < 500; round += 1) {
    const random = randomFrom(round);
    const source = bytesSource(mutate(whole, random));
    const member = await readGzipMember(source, LIMITS);
    if (isEntryRefusal(member)) continue;
    const content = openContent(source, [member.step], fflateInflate);
    await content.read(0, content.size).catch((error: unknown) => {
      if (!(error instanceof ContentDamaged)) throw new Error(`Round ${round} threw`, { cause: error });
    });
  }
});
