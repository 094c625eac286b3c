import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { DEFAULT_ARCHIVE_LIMITS } from '@relaypacs/core/archive/limits.js';
import { buildZip } from '@relaypacs/core/archive/testing/build-zip.js';
import type { UploadFileRow } from '@relaypacs/core/db/upload-files.js';
import { buildDicom, makeSlice } from '@relaypacs/core/dicom/testing/build.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compareWithAnnounced, examineFile, takeAnnouncedMd5 } from './examine-file.js';
import { ReceivedFiles, receivedRow } from './testing/received-files.js';

const text = (content: string) => new TextEncoder().encode(content);
const ZEROS = new Uint8Array(6_000_000);

let received: ReceivedFiles;
beforeEach(async () => {
  received = await ReceivedFiles.open();
});
afterEach(() => received.close());

describe('the examination of one file', () => {
  it('accepts a plain DICOM file', async () => {
    const checked = await received.examine(makeSlice());
    expect(checked).toMatchObject({ kind: 'dicom', status: 'accepted', problem: undefined });
    expect(checked.object).toMatchObject({ size: checked.size, steps: [], pieces: undefined });
  });

  it('takes the digests of each of many files at once, and of one too large to be kept in memory', async () => {
    const contents = [...Array.from({ length: 9 }, () => makeSlice()), Buffer.alloc(9_000_000, 7)];
    const checked = await Promise.all(
      contents.map(async (content, i) => {
        await received.write(`f${i}`, content);
        const announcedMd5 = i === 3 ? null : Buffer.alloc(16);
        return examineFile(received.deps, receivedRow(`f${i}`, content.length, { announcedMd5 }));
      }),
    );
    const digests = (algorithm: string) =>
      contents.map((content) => createHash(algorithm).update(content).digest());
    // Nobody asks for that of the fourth.
    expect(checked.map(({ md5 }) => md5)).toEqual(digests('md5').map((md5, i) => (i === 3 ? null : md5)));
    expect(checked.map(({ sha256 }) => sha256)).toEqual(digests('sha256'));
  });

  it.each([
    ['zero bytes', new Uint8Array(0), 'EMPTY_FILE'],
    ['nested 50 deep', buildDicom({ nesting: 50 }), 'NESTING_TOO_DEEP'],
    ['a pixel length that lies', buildDicom({ declaredPixelLength: 10_000_000 }), 'ELEMENT_BEYOND_END'],
    ['cut off in the pixels', buildDicom({ truncateTo: 4000 }), 'ELEMENT_BEYOND_END'],
    ['no rows', buildDicom({ rows: 0 }), 'ZERO_DIMENSION'],
    ['no study', buildDicom({ omit: [0x0020000d] }), 'MISSING_UID'],
    ['an archive of another kind', text('Rar!\x1a\x07\x01\0 and so on'), 'ARCHIVE_UNSUPPORTED'],
    [
      'a photo format browsers turn into JPEG',
      text('\0\0\0\x18ftypheic\0\0\0\0mif1heic'),
      'IMAGE_UNSUPPORTED',
    ],
  ])('refuses a file with %s, in words', async (_what, content, code) => {
    const { status, problem, object } = await received.examine(content);
    expect({ status, problem }).toMatchObject({
      status: 'rejected',
      problem: { code, title: expect.any(String) },
    });
    expect(problem?.detail).toMatch(/\.$/);
    expect(object).toBeUndefined();
  });

  it('ignores what is nothing of ours, and says so', async () => {
    expect(await received.examine(text('How to use the viewer'))).toMatchObject({
      kind: 'other',
      status: 'ignored',
      problem: { code: 'NOT_DICOM' },
    });
  });

  it('goes by the contents and not by what a preamble pretends', async () => {
    const preamble = new Uint8Array(128);
    preamble.set(text('PK\x03\x04'));
    const checked = await received.examine(buildDicom({ preamble }));
    expect(checked).toMatchObject({ kind: 'dicom', status: 'accepted', entries: [] });
    expect(checked.findings.map(({ code }) => code)).toContain('PREAMBLE_EXECUTABLE');
  });

  it('refuses what is not, in size or digest, what the sender announced, with everything in it', async () => {
    const outcome = async (more: Partial<UploadFileRow>) => {
      const checked = await received.examine(buildZip([{ path: 'IM1', content: makeSlice() }]));
      compareWithAnnounced(checked, { ...checked.file, ...more });
      return [
        checked.problem?.code,
        checked.entries[0]?.problem?.code,
        checked.entries[0]?.object === undefined,
      ];
    };
    expect(await outcome({})).toEqual([undefined, undefined, false]);
    const damaged = ['TRANSFER_DAMAGED', 'TRANSFER_DAMAGED', true];
    expect(await outcome({ announcedMd5: Buffer.alloc(16) })).toEqual(damaged);
    expect(await outcome({ announcedSha256: Buffer.alloc(32) })).toEqual(damaged);
    expect(await outcome({ size: 1 })).toEqual(damaged);
  });

  it('takes an MD5 that is announced when it has been looked at', async () => {
    const content = makeSlice();
    const outcome = async (announcedMd5: Buffer) => {
      const checked = await received.examine(content);
      const row = { ...checked.file, announcedMd5 };
      await takeAnnouncedMd5(received.files, checked, row);
      compareWithAnnounced(checked, row);
      return checked.problem?.code;
    };
    expect(await outcome(createHash('md5').update(content).digest())).toBeUndefined();
    expect(await outcome(Buffer.alloc(16))).toBe('TRANSFER_DAMAGED');
  });

  it('refuses a file of which not all that arrived is there any more, and keeps that verdict', async () => {
    await received.write('short', makeSlice().subarray(0, 1000));
    for (const id of ['gone', 'short']) {
      const checked = await examineFile(received.deps, receivedRow(id, 1001));
      compareWithAnnounced(checked, { ...checked.file, announcedMd5: Buffer.alloc(16) });
      expect(checked).toMatchObject({
        md5: null,
        sha256: null,
        problem: { code: 'STORED_BYTES_DAMAGED', detail: expect.stringMatching(/Send this file again\.$/) },
      });
    }
  });

  it('fails, and does not judge, when the storage does', async () => {
    await mkdir(path.join(received.directory, 'unreadable'));
    await expect(examineFile(received.deps, receivedRow('unreadable', 0))).rejects.toThrow(/EISDIR/);
  });
});

describe('the examination of an archive', () => {
  const tell = (checked: Awaited<ReturnType<ReceivedFiles['examine']>>) =>
    checked.entries.map(({ path, status, problem }) => [path, status, problem?.code]);

  it('finds images, stored and deflated, and images in an archive within it', async () => {
    const inner = buildZip([{ path: 'S2/IM2', content: makeSlice(), deflate: true }]);
    const checked = await received.examine(
      buildZip([
        { path: 'S1/IM1', content: makeSlice() },
        { path: 'more.zip', content: inner, deflate: true },
        { path: 'Thumbs.db', content: text('thumbnails') },
      ]),
    );
    expect(checked).toMatchObject({ kind: 'archive', status: 'accepted' });
    expect(tell(checked)).toEqual([
      ['S1/IM1', 'accepted', undefined],
      ['more.zip/S2/IM2', 'accepted', undefined],
      ['Thumbs.db', 'ignored', 'NOT_DICOM'],
    ]);
    expect(checked.entries.map(({ object }) => object?.steps.length)).toEqual([1, 2, undefined]);
  });

  it('refuses a file whose checksum is not that of its contents', async () => {
    const checked = await received.examine(
      buildZip([
        { path: 'a', content: makeSlice(), directory: { crc32: 1 }, local: { crc32: 1 } },
        { path: 'b', content: makeSlice() },
      ]),
    );
    expect(tell(checked)).toEqual([
      ['a', 'rejected', 'ENTRY_DAMAGED'],
      ['b', 'accepted', undefined],
    ]);
  });

  it('opens no third level, and nothing that grows beyond the limits', async () => {
    const bomb = buildZip([{ path: 'zeros', content: ZEROS, deflate: true }]);
    const level1 = buildZip([{ path: 'IM', content: makeSlice() }]);
    const level2 = buildZip([{ path: 'level1.zip', content: level1 }]);
    const deep = await received.examine(buildZip([{ path: 'level2.zip', content: level2 }]), 'deep');
    expect(tell(deep)).toEqual([['level2.zip/level1.zip', 'rejected', 'ARCHIVE_NESTED_TOO_DEEP']]);
    expect(tell(await received.examine(bomb, 'bomb'))).toEqual([['zeros', 'rejected', 'ENTRY_RATIO']]);
    const limits = { ...DEFAULT_ARCHIVE_LIMITS, maxEntries: 3 };
    const many = buildZip([1, 2, 3].map((i) => ({ path: `IM${i}`, content: makeSlice() })));
    const nested = buildZip([
      { path: 'a', content: makeSlice() },
      { path: 'many.zip', content: many },
    ]);
    expect(tell(await received.examine(nested, 'nested', { limits }))).toContainEqual([
      'many.zip',
      'rejected',
      'ARCHIVE_TOO_MANY_ENTRIES',
    ]);
    expect(await received.examine(buildZip([]), 'none')).toMatchObject({ status: 'ignored' });
  });

  it('takes what is whole in an archive that was cut off', async () => {
    const whole = buildZip([
      { path: 'IM1', content: makeSlice(), deflate: true },
      { path: 'IM2', content: makeSlice(), deflate: true },
    ]);
    const checked = await received.examine(whole.subarray(0, whole.length - 400));
    expect(checked.findings.map(({ code }) => code)).toEqual(['ARCHIVE_SALVAGED']);
    expect(tell(checked)).toEqual([
      ['IM1', 'accepted', undefined],
      ['IM2', 'rejected', 'ENTRY_TRUNCATED'],
    ]);
  });

  it('sees through gzip, to an image or an archive, and refuses a damaged one', async () => {
    const image = await received.examine(new Uint8Array(gzipSync(makeSlice())), 'image');
    expect(image).toMatchObject({ kind: 'dicom', status: 'accepted', entries: [] });
    expect(image.object?.steps).toHaveLength(1);
    const zip = buildZip([{ path: 'IM1', content: makeSlice() }]);
    expect(tell(await received.examine(new Uint8Array(gzipSync(zip)), 'zip'))).toEqual([
      ['IM1', 'accepted', undefined],
    ]);
    const damaged = new Uint8Array(gzipSync(makeSlice()));
    damaged.fill(0x55, 60, 200);
    expect(await received.examine(damaged, 'damaged')).toMatchObject({ status: 'rejected' });
  });
});
