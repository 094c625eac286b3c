import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readHeader } from './dicom-file.js';
import { DicomFormatError } from './dicom-walk.js';
import {
  DEFLATED,
  EXPLICIT_BE,
  EXPLICIT_LE,
  encodeElement,
  encodingOf,
  fileMeta,
  IMPLICIT_LE,
  JPEG_LOSSLESS,
  makeDicomFile,
  nestedSequence,
  type TestDataset,
} from './testing/dicom-file.js';

const LE = encodingOf(EXPLICIT_LE);
const NAME = '00100010';
const ROWS = '00280010';
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'dicom-file-test-'));
});
afterAll(() => rm(dir, { recursive: true }));

async function read(bytes: Buffer, wanted = [NAME, ROWS], checkWholeFile = true) {
  const path = join(dir, 'file.dcm');
  await writeFile(path, bytes);
  return readHeader(path, new Set(wanted), { checkWholeFile });
}

const isRefused = (bytes: Buffer) => expect(read(bytes)).rejects.toBeInstanceOf(DicomFormatError);

describe('readHeader', () => {
  it.each([EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED])(
    'reads transfer syntax %s',
    async (transferSyntax) => {
      expect(await read(makeDicomFile({ transferSyntax }).bytes)).toEqual({
        transferSyntax,
        attributes: {
          [NAME]: { vr: 'PN', Value: [{ Alphabetic: 'Doe^Jane' }] },
          [ROWS]: { vr: 'US', Value: [4] },
        },
      });
    },
  );

  it('reads encapsulated pixel data and what stands behind it', async () => {
    const fragments = [Buffer.alloc(0), Buffer.alloc(30_000, 1), Buffer.alloc(10, 2)];
    const { bytes } = makeDicomFile({
      transferSyntax: JPEG_LOSSLESS,
      elements: { '7FE00010': ['OB', { fragments }], FFFCFFFC: ['OB', Buffer.alloc(6)] },
    });
    expect((await read(bytes)).transferSyntax).toBe(JPEG_LOSSLESS);
    for (const cut of [1, 10, 17, 19, 26, 27, 20_000]) await isRefused(bytes.subarray(0, bytes.length - cut));
  });

  it('reads an icon with encapsulated pixel data of its own', async () => {
    const icon: TestDataset = {
      '00280010': ['US', Buffer.from([9, 0])],
      '7FE00010': ['OB', { fragments: [Buffer.alloc(8)] }],
    };
    const { bytes } = makeDicomFile({ elements: { '00880200': ['SQ', [icon]] } });
    expect((await read(bytes)).attributes[ROWS]?.Value).toEqual([4]);
  });

  it('reads a sequence of unknown VR, which is in implicit VR (PS3.5 6.2.2)', async () => {
    const item = Buffer.concat([
      Buffer.from('feff00e0ffffffff', 'hex'),
      encodeElement('00080104', 'LO', 'meaning', encodingOf(IMPLICIT_LE)),
      Buffer.from('feff0de000000000feffdde000000000', 'hex'),
    ]);
    const unknown = encodeElement('00091010', 'UN', item, LE, 0xffffffff);
    const { bytes, sopUid } = makeDicomFile();
    const meta = fileMeta(sopUid, EXPLICIT_LE);
    expect(
      (await read(Buffer.concat([meta, unknown, bytes.subarray(meta.length)]))).attributes[NAME],
    ).toBeDefined();
  });

  it('reads bare data sets, explicit and implicit, and files without a preamble', async () => {
    for (const transferSyntax of [EXPLICIT_LE, IMPLICIT_LE]) {
      const { bytes, sopUid } = makeDicomFile({ transferSyntax });
      const meta = fileMeta(sopUid, transferSyntax);
      for (const without of [132, meta.length]) {
        const header = await read(bytes.subarray(without));
        expect(header.transferSyntax).toBe(transferSyntax);
        expect(header.attributes[ROWS]?.Value).toEqual([4]);
      }
    }
  });

  it('stops early when it need not check the whole file', async () => {
    const { bytes } = makeDicomFile();
    const truncated = bytes.subarray(0, bytes.length - 10);
    expect((await read(truncated, [NAME], false)).attributes[NAME]).toBeDefined();
    await isRefused(truncated);
  });

  it('keeps the first of an element that comes twice', async () => {
    const { bytes } = makeDicomFile();
    const second = encodeElement(NAME, 'PN', 'Other', LE);
    expect((await read(Buffer.concat([bytes, second]))).attributes[NAME]?.Value).toEqual([
      { Alphabetic: 'Doe^Jane' },
    ]);
  });

  it('takes sequences up to 48 deep and refuses deeper ones', async () => {
    const nested = (depth: number) =>
      makeDicomFile({ elements: { '0040A730': nestedSequence(depth) } }).bytes;
    for (const depth of [1, 40, 48]) expect((await read(nested(depth))).attributes[ROWS]).toBeDefined();
    for (const depth of [49, 200, 600]) await isRefused(nested(depth));
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a word', Buffer.from('garbage')],
    ['zeroes', Buffer.alloc(5000)],
    ['a preamble alone', Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')])],
    ['meta information without a transfer syntax', fileMeta('1.2', EXPLICIT_LE).subarray(0, 200)],
    ['a JPEG', Buffer.from('ffd8ffe000104a46494600010100000100010000', 'hex')],
  ])('refuses %s', (_, bytes) => isRefused(bytes));

  it.each([
    ['a value beyond the end of the file', encodeElement('7FE00010', 'OW', Buffer.alloc(4), LE, 0x7ffffffe)],
    ['the largest length there is', encodeElement('00104000', 'UT', 'x', LE, 0xfffffffe)],
    [
      'a sequence beyond the end',
      encodeElement('0040A730', 'SQ', Buffer.from('feff00e000000000', 'hex'), LE, 800),
    ],
    [
      'an item beyond its sequence',
      encodeElement('0040A730', 'SQ', Buffer.from('feff00e064000000', 'hex'), LE, 8),
    ],
    [
      'something else than an item',
      encodeElement('0040A730', 'SQ', Buffer.from('0800050043530000', 'hex'), LE, 8),
    ],
    [
      'a sequence without end',
      encodeElement('0040A730', 'SQ', Buffer.from('feff00e000000000', 'hex'), LE, 0xffffffff),
    ],
    ['a stray delimiter', Buffer.from('feff0de000000000', 'hex')],
    ['half an element', Buffer.from('e07f1000', 'hex')],
    ['zeroes at the end', Buffer.alloc(10)],
    ['text at the end', Buffer.from('some trailing garbage')],
  ])('refuses a file with %s', async (_, tail) => {
    await isRefused(Buffer.concat([makeDicomFile({ elements: { '7FE00010': undefined } }).bytes, tail]));
  });

  it('refuses deflated data that is damaged or cut off', async () => {
    const { bytes } = makeDicomFile({
      transferSyntax: DEFLATED,
      elements: { '7FE00010': ['OW', Buffer.from('ab'.repeat(3000))] },
    });
    await isRefused(bytes.subarray(0, bytes.length - 12));
    await isRefused(Buffer.concat([fileMeta('1.2', DEFLATED), Buffer.alloc(500, 0xee)]));
  });

  it('reads past a deflated bomb without holding it', async () => {
    const bombBytes = 128 * 1024 * 1024;
    const zeroes = encodeElement('7FE00010', 'OW', Buffer.alloc(0), LE, bombBytes);
    const { bytes, sopUid } = makeDicomFile({ elements: { '7FE00010': undefined } });
    const meta = fileMeta(sopUid, EXPLICIT_LE);
    const body = Buffer.concat([bytes.subarray(meta.length), zeroes, Buffer.alloc(bombBytes)]);
    const bomb = Buffer.concat([fileMeta(sopUid, DEFLATED), deflateRawSync(body, { level: 1 })]);
    const before = process.memoryUsage().rss;
    expect((await read(bomb)).attributes[NAME]).toBeDefined();
    expect(process.memoryUsage().rss - before).toBeLessThan(bombBytes / 2);
  });

  it('never fails in another way, whatever is changed in a file', async () => {
    const original = makeDicomFile({
      elements: { '0040A730': nestedSequence(3), '7FE00010': ['OB', { fragments: [Buffer.alloc(8)] }] },
    }).bytes;
    let random = 1;
    const next = (below: number) => {
      random = (random * 48271) % 0x7fffffff;
      return random % below;
    };
    for (let round = 0; round < 400; round++) {
      const bytes = Buffer.from(original);
      for (let change = 0; change <= next(4); change++) bytes[132 + next(bytes.length - 132)] = next(256);
      await read(bytes).catch((error) => expect(error).toBeInstanceOf(DicomFormatError));
    }
  });
});
