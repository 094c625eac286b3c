import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { concatBytes, encodeElements } from './encode.js';
import { IMPLICIT_LITTLE } from './encoding.js';
import type { FindingCode } from './findings.js';
import type { Repair } from './repair.js';
import { planRepair } from './repair.js';
import type { DicomScan } from './scan.js';
import { scanDicom } from './scan.js';
import { bytesSource } from './source.js';
import { composedSource } from './source-piece.js';
import type { DicomOptions } from './testing/build.js';
import { buildDicom, makeSlice } from './testing/build.js';

const IMPLICIT = '1.2.840.10008.1.2';
const EXPLICIT = '1.2.840.10008.1.2.1';
const BIG = '1.2.840.10008.1.2.2';
const DEFLATED = '1.2.840.10008.1.2.1.99';
const JPEG = '1.2.840.10008.1.2.4.50';

const IDENTITY = { studyInstanceUid: '2.25.101', seriesInstanceUid: '2.25.102', sopInstanceUid: '2.25.103' };
const UIDS = [0x00080018, 0x0020000d, 0x0020000e];
const text = (value: string) => new TextEncoder().encode(value);
const programPreamble = concatBytes([text('MZ'), new Uint8Array(126)]);

interface Outcome {
  original: DicomScan;
  repair: Repair | undefined;
  /** The repaired file, and what a scan says of it. */
  bytes: Uint8Array;
  after: DicomScan;
}

async function mend(file: Uint8Array): Promise<Outcome> {
  const source = bytesSource(file);
  const original = await scanDicom(source);
  const repair = await planRepair(source, original, IDENTITY);
  const repaired = composedSource(source, repair?.pieces ?? []);
  const bytes = await repaired.read(0, repaired.size);
  return { original, repair, bytes, after: await scanDicom(repaired) };
}

/** Mends a file that must have a cure. */
async function mended(file: Uint8Array): Promise<Outcome & { repair: Repair }> {
  const outcome = await mend(file);
  const { original, repair } = outcome;
  if (repair === undefined) throw new Error(`No cure for ${JSON.stringify(original.findings)}`);
  expectClean(file, repair, outcome);
  return { ...outcome, repair };
}

/** What must be true of every repair. */
function expectClean(file: Uint8Array, repair: Repair, { original, bytes, after }: Outcome): void {
  expect(after.verdict).not.toBe('invalid');
  expect(after.needsRewrite).toBe(false);
  expect(repair.size).toBe(bytes.length);
  expect(repair.attributes).toEqual(after.attributes);
  expect(repair.transferSyntaxUid).toBe(after.transferSyntaxUid);
  expect(hexOf(pixelsOf(bytes, after))).toBe(hexOf(pixelsOf(file, original)));
}

function pixelsOf(
  file: Uint8Array,
  { pixelData, meta, transferSyntaxUid }: DicomScan,
): Uint8Array | undefined {
  const dataset = transferSyntaxUid === DEFLATED ? inflateSync(file.subarray(meta?.datasetOffset)) : file;
  return pixelData && dataset.slice(pixelData.offset, pixelData.end);
}

/** Compared as text: vitest looks at arrays byte by byte, which takes seconds for thousands of files. */
const hexOf = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');

const codesOf = (scan: DicomScan) => scan.findings.map(({ code }) => code);

describe('a repair', () => {
  it('is not made of a file that is fine, broken, or delivered as it is', async () => {
    for (const file of [
      makeSlice(),
      buildDicom({ omit: [0x00080016] }),
      buildDicom({ preamble: null }),
      text('no DICOM at all'),
      new Uint8Array(0),
    ]) {
      expect((await mend(file)).repair).toBeUndefined();
    }
  });

  it('logs what was mended, in words', async () => {
    const { repair } = await mended(
      buildDicom({
        preamble: programPreamble,
        trailing: new Uint8Array(3),
        meta: { sopInstanceUid: '1.2.9' },
      }),
    );
    expect(repair.changes).toEqual([
      {
        code: 'PREAMBLE_EXECUTABLE',
        message:
          'The file began like a program or a script. Its first 128 bytes, which hold no data, were cleared.',
      },
      {
        code: 'TRAILING_BYTES',
        message: 'A few stray bytes followed the end of the data and were cut off.',
      },
    ]);
  });

  it('never copies pixels, and reads little more than the scan did', async () => {
    const file = buildDicom({ rows: 1024, columns: 1024, preamble: programPreamble });
    let bytesRead = 0;
    const source = {
      size: file.length,
      read: async (offset: number, length: number) => {
        bytesRead += length;
        return file.subarray(offset, offset + length);
      },
    };
    const repair = await planRepair(source, await scanDicom(source), IDENTITY);
    const copied = repair?.pieces.reduce(
      (sum, piece) => sum + ('bytes' in piece ? piece.bytes.length : 0),
      0,
    );
    expect(copied).toBe(128);
    expect(bytesRead).toBeLessThan(200_000);
  });

  it('throws what the storage throws', async () => {
    const file = bytesSource(buildDicom({ preamble: programPreamble }));
    const scan = await scanDicom(file);
    const broken = { size: file.size, read: () => Promise.reject(new Error('disk gone')) };
    await expect(planRepair(broken, scan, IDENTITY)).rejects.toThrow('disk gone');
  });
});

describe('the preamble', () => {
  it.each([[EXPLICIT], [IMPLICIT], [BIG], [DEFLATED], [JPEG]])(
    'of a program is cleared in %s',
    async (syntax) => {
      const file = buildDicom({ preamble: programPreamble, transferSyntaxUid: syntax });
      const { repair, bytes } = await mended(file);
      expect(repair.transferSyntaxUid).toBe(syntax);
      expect(bytes.subarray(0, 128)).toEqual(new Uint8Array(128));
      expect(hexOf(bytes.subarray(128))).toBe(hexOf(file.subarray(128)));
    },
  );

  it('that was cut off is put back', async () => {
    const file = makeSlice();
    const { bytes, repair } = await mended(file.subarray(128));
    expect(hexOf(bytes)).toBe(hexOf(file));
    expect(repair.pieces).toEqual([{ bytes: new Uint8Array(128) }, { offset: 0, length: file.length - 128 }]);
  });
});

describe('the file header', () => {
  it.each([[EXPLICIT], [IMPLICIT], [BIG], [DEFLATED], [JPEG]])(
    'that reaches into the data is written anew in %s',
    async (transferSyntaxUid) => {
      const file = buildDicom({ transferSyntaxUid, meta: { groupLength: 400 }, sopInstanceUid: '1.2.3.4' });
      const { repair, after, original } = await mended(file);
      expect(codesOf(original)).toContain('META_GROUP_LENGTH_TOO_LONG');
      expect(after.findings).toEqual([]);
      expect(repair.transferSyntaxUid).toBe(transferSyntaxUid);
      expect(after.meta).toMatchObject({ hasPreamble: true, mediaStorageSopInstanceUid: '1.2.3.4' });
    },
  );

  it('in implicit VR is written anew', async () => {
    const meta = encodeElements(
      [
        { tag: 0x00020002, vr: 'UI', value: '1.2.840.10008.5.1.4.1.1.2' },
        { tag: 0x00020010, vr: 'UI', value: IMPLICIT },
      ],
      IMPLICIT_LITTLE,
    );
    const dataset = buildDicom({ preamble: null, meta: null, transferSyntaxUid: IMPLICIT });
    const { original, after } = await mended(concatBytes([new Uint8Array(128), text('DICM'), meta, dataset]));
    expect(codesOf(original)).toContain('META_IMPLICIT_VR');
    expect(after.findings).toEqual([]);
  });

  it('that is damaged is written anew', async () => {
    const file = makeSlice();
    file.set(text('z?'), file.indexOf(0x55, 170)); // the VR of the SOP Instance UID
    const { original, after } = await mended(file);
    expect(codesOf(original)).toEqual(['META_DAMAGED']);
    expect(after.findings).toEqual([]);
  });

  it.each([
    [IMPLICIT, EXPLICIT],
    [EXPLICIT, IMPLICIT],
    [BIG, EXPLICIT],
    [IMPLICIT, JPEG],
  ])('of a data set in %s that says %s is corrected', async (real, named) => {
    const options = { transferSyntaxUid: real, meta: { transferSyntaxUid: named } };
    const { original, repair, after } = await mended(buildDicom(options));
    expect(codesOf(original)).toEqual(['TRANSFER_SYNTAX_MISMATCH']);
    expect(repair.transferSyntaxUid).toBe(real);
    expect(after.findings).toEqual([]);
  });

  it('that calls uncompressed pixels compressed is corrected', async () => {
    const file = buildDicom({ transferSyntaxUid: JPEG, pixels: new Uint8Array(8192).fill(7) });
    const { repair, after } = await mended(file);
    expect(repair.transferSyntaxUid).toBe(EXPLICIT);
    expect(after.findings).toEqual([]);
  });
});

describe('bytes behind the data', () => {
  it.each([[EXPLICIT], [IMPLICIT], [BIG], [JPEG]])('are cut off in %s', async (transferSyntaxUid) => {
    const whole = {
      transferSyntaxUid,
      sopInstanceUid: '1.2',
      studyInstanceUid: '1.3',
      seriesInstanceUid: '1.4',
    };
    const { bytes, repair } = await mended(buildDicom({ ...whole, trailing: new Uint8Array(5) }));
    expect(hexOf(bytes)).toBe(hexOf(buildDicom(whole)));
    expect(repair.pieces).toHaveLength(1);
  });

  it('are cut off of a deflated data set, which is deflated anew', async () => {
    const { bytes, original, after } = await mended(
      buildDicom({ transferSyntaxUid: DEFLATED, trailing: new Uint8Array(5), rows: 300, columns: 301 }),
    );
    expect(after.findings).toEqual([]);
    expect(bytes.length % 2).toBe(0);
    expect(after.pixelData?.end).toBe(original.pixelData?.end);
  });

  it('are cut off of a file without a header, which stays without', async () => {
    const { after } = await mended(
      buildDicom({ preamble: null, meta: null, trailing: new Uint8Array(2), transferSyntaxUid: IMPLICIT }),
    );
    expect(codesOf(after)).toEqual(['NO_PREAMBLE']);
  });
});

describe('an object without identifiers', () => {
  const bare: DicomOptions = { preamble: null, meta: null, omit: UIDS };

  it.each([[EXPLICIT], [IMPLICIT], [BIG]])('is given them in %s, in order', async (transferSyntaxUid) => {
    const { repair, after } = await mended(buildDicom({ ...bare, transferSyntaxUid }));
    expect(repair.attributes).toMatchObject({ ...IDENTITY, patientId: 'TEST-1' });
    expect(repair.transferSyntaxUid).toBe(transferSyntaxUid);
    expect(after.findings).toEqual([]);
    expect(after.meta?.mediaStorageSopInstanceUid).toBe(IDENTITY.sopInstanceUid);
  });

  it('that is deflated is given them and deflated anew', async () => {
    const { original, repair, after } = await mended(
      buildDicom({ preamble: null, omit: UIDS, transferSyntaxUid: DEFLATED }),
    );
    expect(codesOf(original)).toContain('UIDS_ABSENT');
    expect(repair.attributes).toMatchObject(IDENTITY);
    expect(after.findings).toEqual([]);
  });

  it('and with nothing behind them is given them at its end, in front of stray bytes', async () => {
    const omit = [...UIDS, 0x00200011, 0x00200013];
    for (let tag = 0x00280000; tag < 0x00280110; tag += 1) omit.push(tag);
    const { after } = await mended(buildDicom({ ...bare, omit, pixels: null, trailing: new Uint8Array(3) }));
    expect(after.attributes).toMatchObject(IDENTITY);
    expect(codesOf(after)).toEqual([]);
  });

  it('has the group lengths corrected that count its elements', async () => {
    const lengthOf = (value: number, tag: number) => ({ tag, vr: 'UL', value });
    const { after, bytes } = await mended(
      buildDicom({ ...bare, elements: [lengthOf(300, 0x00080000), lengthOf(20, 0x00200000)] }),
    );
    expect(after.findings).toEqual([]);
    const at = (after.meta?.datasetOffset ?? 0) + 8;
    expect(new DataView(bytes.buffer).getUint32(at, true)).toBe(300 + 8 + 8);
  });

  it('whose pixels are compressed in an unknown way has no cure', async () => {
    const file = buildDicom({ ...bare, transferSyntaxUid: JPEG });
    const { original, repair } = await mend(file);
    expect(codesOf(original)).toContain('UIDS_ABSENT');
    expect(repair).toBeUndefined();
  });

  it.each([
    ['JPEG baseline', JPEG, [0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0, 0, 11, 8]],
    ['JPEG extended', '1.2.840.10008.1.2.4.51', [0xff, 0xd8, 0xff, 0xff, 0xc1, 0, 11, 12, 0, 0, 0, 0]],
    ['JPEG progressive', '1.2.840.10008.1.2.4.55', [0xff, 0xd8, 0xff, 0xc2, 0, 11, 8, 0, 0, 0, 0, 0]],
    [
      'JPEG lossless',
      '1.2.840.10008.1.2.4.70',
      [0xff, 0xd8, 0xff, 0xc3, 0, 4, 0, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 1, 0, 0],
    ],
    [
      'JPEG lossless, another predictor',
      '1.2.840.10008.1.2.4.57',
      [0xff, 0xd8, 0xff, 0xc3, 0, 4, 0, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 4, 0, 0],
    ],
    [
      'JPEG-LS',
      '1.2.840.10008.1.2.4.80',
      [0xff, 0xd8, 0xff, 0xf7, 0, 4, 0, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0],
    ],
    [
      'JPEG-LS near-lossless',
      '1.2.840.10008.1.2.4.81',
      [0xff, 0xd8, 0xff, 0xf7, 0, 4, 0, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 3, 0, 0],
    ],
    [
      'JPEG 2000 lossless',
      '1.2.840.10008.1.2.4.90',
      [0xff, 0x4f, 0xff, 0x51, 0, 4, 0, 0, 0xff, 0x52, 0, 12, 0, 0, 0, 1, 0, 5, 4, 4, 0, 1],
    ],
    [
      'JPEG 2000',
      '1.2.840.10008.1.2.4.91',
      [0xff, 0x4f, 0xff, 0x51, 0, 4, 0, 0, 0xff, 0x52, 0, 12, 0, 0, 0, 1, 0, 5, 4, 4, 0, 0],
    ],
    [
      'HTJ2K lossless',
      '1.2.840.10008.1.2.4.201',
      // biome-ignore format: marker by marker
      [0xff, 0x4f, 0xff, 0x51, 0, 4, 0, 0, 0xff, 0x50, 0, 8, 0, 2, 0, 0, 0, 0, 0xff, 0x52, 0, 12, 0, 0, 0, 1, 0, 5, 4, 4, 0, 1],
    ],
    ['RLE', '1.2.840.10008.1.2.5', [1, 0, 0, 0, 64, ...Array(59).fill(0), 5, 5]],
  ])('whose pixels are %s is told so by their first bytes', async (_name, syntax, start) => {
    const fragments = [concatBytes([Uint8Array.from(start), new Uint8Array(200)])];
    const { repair } = await mended(buildDicom({ ...bare, transferSyntaxUid: JPEG, fragments }));
    expect(repair.transferSyntaxUid).toBe(syntax);
  });

  it.each([
    ['nothing', []],
    ['an endless chain of fill bytes', [0xff, 0xd8, ...Array(70_000).fill(0xff)]],
    ['empty segments', [0xff, 0xd8, ...Array(30_000).fill([0xff, 0xe0]).flat()]],
    ['a scan without a frame', [0xff, 0xd8, 0xff, 0xda, 0, 8, 200, 0, 0, 0, 0, 0]],
    ['too many RLE segments', [16, 0, 0, 0, 64, ...Array(59).fill(0)]],
  ])('whose pixels begin with %s has no cure', async (_name, start) => {
    const fragments = [new Uint8Array(0), Uint8Array.from([...start, 0, 0])];
    expect((await mend(buildDicom({ ...bare, transferSyntaxUid: JPEG, fragments }))).repair).toBeUndefined();
  });

  it('is refused identifiers that are none', async () => {
    const source = bytesSource(buildDicom(bare));
    const identity = { ...IDENTITY, studyInstanceUid: 'x' };
    expect(await planRepair(source, await scanDicom(source), identity)).toBeUndefined();
  });
});

describe('pieces', () => {
  it('read the same in parts as as a whole', async () => {
    const source = bytesSource(Uint8Array.from({ length: 50 }, (_, i) => i));
    const pieces = [{ bytes: Uint8Array.of(200, 201) }, { offset: 10, length: 5 }, { offset: 30, length: 3 }];
    const composed = composedSource(source, pieces);
    const whole = [200, 201, 10, 11, 12, 13, 14, 30, 31, 32];
    for (let from = 0; from <= 10; from += 1) {
      for (let length = 0; length <= 12; length += 1) {
        expect([...(await composed.read(from, length))]).toEqual(whole.slice(from, from + length));
      }
    }
  });

  it('of a source that is shorter than it was are an error', async () => {
    const composed = composedSource(bytesSource(new Uint8Array(5)), [{ offset: 3, length: 5 }]);
    await expect(composed.read(0, 5)).rejects.toThrow('Source returned 2 of 5 bytes');
  });
});

/** mulberry32: a small generator with a seed, so that a failure can be repeated. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

it('2,000 spoilt files that could be mended never throw, and every repair is clean', async () => {
  const small = { rows: 16, columns: 16, sopInstanceUid: '1.2.3', studyInstanceUid: '1.2.4', nesting: 2 };
  const bare = { ...small, preamble: null, meta: null, omit: UIDS };
  const damaged = buildDicom(small);
  damaged.set(text('z?'), damaged.indexOf(0x55, 170));
  const seeds = [
    buildDicom({ ...small, preamble: programPreamble }),
    buildDicom({ ...small, meta: { groupLength: 400 } }),
    buildDicom({ ...small, meta: { transferSyntaxUid: IMPLICIT } }),
    buildDicom({ ...small, transferSyntaxUid: BIG, meta: { transferSyntaxUid: EXPLICIT } }),
    buildDicom({ ...small, transferSyntaxUid: IMPLICIT, trailing: new Uint8Array(3) }),
    buildDicom({ ...small, transferSyntaxUid: DEFLATED, trailing: new Uint8Array(3) }),
    buildDicom(bare),
    buildDicom({ ...bare, transferSyntaxUid: IMPLICIT, trailing: new Uint8Array(7) }),
    buildDicom({ ...bare, transferSyntaxUid: BIG }),
    buildDicom({
      ...bare,
      transferSyntaxUid: JPEG,
      fragments: [Uint8Array.of(0xff, 0xd8, 0xff, 0xc0, 0, 9, 8, 0, 0, 0, 0, 0)],
    }),
    buildDicom(small).subarray(128),
    damaged,
  ];
  const mendedCodes = new Set<FindingCode>();
  let repairs = 0;
  for (let round = 0; round < 2_000; round += 1) {
    const random = randomFrom(round);
    const file = (seeds[round % seeds.length] ?? new Uint8Array(0)).slice();
    for (let change = 0; change <= random(3); change += 1) file[random(file.length)] = random(256);
    const outcome = await mend(file).catch((cause: unknown) => {
      throw new Error(`Round ${round} threw`, { cause });
    });
    const { repair } = outcome;
    if (repair === undefined) continue;
    expectClean(file, repair, outcome);
    repairs += 1;
    for (const { code } of repair.changes) mendedCodes.add(code);
  }
  expect(repairs).toBeGreaterThan(500);
  expect(mendedCodes.size).toBeGreaterThanOrEqual(6);
}, 30_000);

const corpus = process.env.RELAYPACS_DICOM_CORPUS;

describe.skipIf(corpus === undefined)('the corpus', () => {
  const folder = join(corpus ?? '', 'files');
  const files = corpus === undefined ? [] : readdirSync(folder);

  it('holds no repairable file that is neither delivered as it is nor mended', async () => {
    const mendedFiles: string[] = [];
    for (const file of files) {
      const bytes = new Uint8Array(readFileSync(join(folder, file)));
      const { verdict, needsRewrite } = await scanDicom(bytesSource(bytes));
      if (verdict !== 'repairable' || !needsRewrite) continue;
      await mended(bytes);
      mendedFiles.push(file);
    }
    expect(mendedFiles).toContainEqual(expect.stringContaining('JLSL_RGB_ILV2'));
  });
});
