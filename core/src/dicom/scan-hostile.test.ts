import { deflateSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { concatBytes, encodeElements } from './encode.js';
import { EXPLICIT_LITTLE, IMPLICIT_LITTLE } from './encoding.js';
import { scanDicom } from './scan.js';
import type { ByteSource } from './source.js';
import { bytesSource } from './source.js';
import type { DicomElement, DicomOptions } from './testing/build.js';
import { buildDicom, makeSlice } from './testing/build.js';

const IMPLICIT = '1.2.840.10008.1.2';
const DEFLATED = '1.2.840.10008.1.2.1.99';
const CONTENT_SEQUENCE = 0x0040a730;

const scan = (bytes: Uint8Array) => scanDicom(bytesSource(bytes));
const scanBuilt = (options: DicomOptions) => scan(buildDicom(options));

/** An item, delimiter or element of implicit VR: tag and 32-bit length, little endian. */
function header(tag: number, length: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, tag >>> 16, true);
  view.setUint16(2, tag & 0xffff, true);
  view.setUint32(4, length, true);
  return bytes;
}

const LONG_ELEMENT = encodeElements(
  [{ tag: 0x00080100, vr: 'SH', value: '', declaredLength: 99 }],
  EXPLICIT_LITTLE,
);

/** Repeats `unit` by doubling, which is quick for millions. */
function repeat(unit: Uint8Array, times: number): Uint8Array {
  const bytes = new Uint8Array(unit.length * times);
  bytes.set(unit);
  for (let filled = unit.length; filled < bytes.length; filled *= 2) bytes.copyWithin(filled, 0, filled);
  return bytes;
}

/** A chain of sequences in implicit VR, as the value of an element that does not say it is one. */
function hiddenChain(depth: number): Uint8Array {
  let content: DicomElement[] = [{ tag: 0x0040a160, vr: 'UT', value: 'innermost' }];
  for (let level = 1; level < depth; level += 1) {
    content = [{ tag: CONTENT_SEQUENCE, vr: 'SQ', value: { items: [content] } }];
  }
  const item = encodeElements(content, IMPLICIT_LITTLE);
  return concatBytes([header(0xfffee000, item.length), item]);
}

/** A private or standard element of VR OB in an implicit file, or of VR UN in an explicit one. */
function hiding(tag: number, value: Uint8Array, transferSyntaxUid?: string): DicomOptions {
  return transferSyntaxUid === IMPLICIT
    ? { transferSyntaxUid, elements: [{ tag, vr: 'OB', value }] }
    : { elements: [{ tag, vr: 'UN', value }] };
}

describe('nested sequences', () => {
  it.each([['undefined' as const], ['defined' as const]])(
    'of %s length pass at 16 levels and are rejected at 17',
    async (nestingLengths) => {
      expect(await scanBuilt({ nesting: 16, nestingLengths })).toMatchObject({
        verdict: 'valid',
        cost: { depth: 16 },
      });
      expect(await scanBuilt({ nesting: 17, nestingLengths })).toMatchObject({
        verdict: 'invalid',
        findings: [{ code: 'NESTING_TOO_DEEP' }],
      });
    },
  );

  it.each([
    [IMPLICIT, 'defined' as const],
    ['1.2.840.10008.1.2.2', 'undefined' as const],
    [DEFLATED, 'undefined' as const],
  ])('50 deep are rejected in %s', async (transferSyntaxUid, nestingLengths) => {
    const { findings } = await scanBuilt({ transferSyntaxUid, nesting: 50, nestingLengths });
    expect(findings).toMatchObject([{ code: 'NESTING_TOO_DEEP' }]);
  });

  it('thousands deep are rejected without recursion', async () => {
    const opening = concatBytes([
      encodeElements(
        [{ tag: CONTENT_SEQUENCE, vr: 'SQ', value: '', declaredLength: 0xffffffff }],
        EXPLICIT_LITTLE,
      ),
      header(0xfffee000, 0xffffffff),
    ]);
    const { findings } = await scanBuilt({ pixels: null, trailing: repeat(opening, 100_000) });
    expect(findings.map(({ code }) => code)).toContain('NESTING_TOO_DEEP');
  });

  it.each([
    ['a UN of a private tag', 0x00091010, undefined],
    ['a UN of a standard tag', CONTENT_SEQUENCE, undefined],
    ['a private element in implicit VR', 0x00091010, IMPLICIT],
    ['a standard element in implicit VR', CONTENT_SEQUENCE, IMPLICIT],
  ])('are counted inside of %s', async (_name, tag, syntax) => {
    expect((await scanBuilt(hiding(tag, hiddenChain(16), syntax))).cost.depth).toBe(16);
    const { findings } = await scanBuilt(hiding(tag, hiddenChain(17), syntax));
    expect(findings).toMatchObject([{ code: 'NESTING_TOO_DEEP' }]);
  });

  it('inside of a UN of undefined length are in implicit VR (PS3.5 §6.2.2)', async () => {
    const items = [[{ tag: 0x00080100, vr: 'SH', value: 'CODE' }]];
    const element = { tag: 0x00091010, vr: 'UN', value: { items, undefinedLength: true } };
    expect(await scanBuilt({ elements: [element] })).toMatchObject({ verdict: 'valid', cost: { depth: 1 } });
  });

  it('of a private element may be in explicit VR, as Philips writes them into implicit files', async () => {
    const item = encodeElements(
      [
        { tag: 0x00189036, vr: 'CS', value: 'NONE' },
        { tag: 0x00189077, vr: 'CS', value: 'NO' },
      ],
      EXPLICIT_LITTLE,
    );
    const value = concatBytes([header(0xfffee000, item.length), item]);
    expect((await scanBuilt(hiding(0x2005140f, value, IMPLICIT))).findings).toEqual([]);
  });

  it('whose items reach out of them hide a chain from the count, and are rejected', async () => {
    // Orthanc 1.10.1 follows such items wherever they end: 60 of these in a private sequence that it knows crash it.
    let chain: Uint8Array = new Uint8Array(0);
    for (let level = 0; level < 60; level += 1) {
      chain = concatBytes([header(0x00091000, 8), header(0xfffee000, chain.length), chain]);
    }
    const { findings } = await scanBuilt({ transferSyntaxUid: IMPLICIT, pixels: null, trailing: chain });
    expect(findings.map(({ code }) => code)).toContain('MALFORMED_STRUCTURE');
  });

  it.each([
    ['an item that is longer than its sequence', concatBytes([header(0xfffee000, 40)])],
    ['an element that is longer than its item', concatBytes([header(0xfffee000, 8), LONG_ELEMENT])],
    ['anything but items', new Uint8Array(16).fill(1)],
    ['an item that is not closed', concatBytes([header(0xfffee000, 0xffffffff)])],
    ['a rest too short for an item', concatBytes([header(0xfffee000, 0), new Uint8Array(4)])],
  ])('with %s are rejected', async (_name, value) => {
    const { findings } = await scanBuilt({ elements: [{ tag: CONTENT_SEQUENCE, vr: 'SQ', value }] });
    expect(findings).toContainEqual(expect.objectContaining({ code: 'MALFORMED_STRUCTURE', tier: 'reject' }));
  });

  it('that are not closed at the end of the file are rejected', async () => {
    const value = header(0xfffee000, 0xffffffff);
    const sequence = { tag: CONTENT_SEQUENCE, vr: 'SQ', value, declaredLength: 0xffffffff };
    const { findings } = await scanBuilt({ pixels: null, elements: [sequence] });
    expect(findings).toMatchObject([{ code: 'ELEMENT_BEYOND_END' }]);
  });

  it('may hold end marks where nothing ends, which archives pass over', async () => {
    const value = concatBytes([header(0xfffee000, 8), header(0xfffee00d, 0), header(0xfffee0dd, 0)]);
    const result = await scanBuilt({ elements: [{ tag: CONTENT_SEQUENCE, vr: 'SQ', value }] });
    expect(result).toMatchObject({ verdict: 'valid', findings: [{ code: 'STRAY_DELIMITER' }] });
  });
});

describe('a deflated data set', () => {
  const prefix = (): Uint8Array => {
    const empty = { transferSyntaxUid: DEFLATED };
    const file = buildDicom(empty);
    return file.subarray(0, 132 + 12 + new DataView(file.buffer).getUint32(140, true));
  };

  it('that grows without end is rejected before it has grown', async () => {
    const bomb = concatBytes([prefix(), deflateSync(new Uint8Array(20 * 1024 * 1024))]);
    const result = await scan(bomb);
    expect(result.findings).toMatchObject([{ code: 'INFLATE_LIMIT' }]);
    expect(result.cost.bytesRead).toBeLessThanOrEqual(2 * 65_536);
  });

  it('is rejected above the size limit, whatever its ratio', async () => {
    const bytes = buildDicom({ transferSyntaxUid: DEFLATED, rows: 300, columns: 300 });
    const result = await scanDicom(bytesSource(bytes), { maxInflatedBytes: 100_000 });
    expect(result.findings).toMatchObject([{ code: 'INFLATE_LIMIT' }]);
  });

  it.each([
    ['damaged', (file: Uint8Array) => file.fill(0xff, file.length - 300)],
    ['cut off', (file: Uint8Array) => file.subarray(0, file.length - 200)],
    ['followed by much else', (file: Uint8Array) => concatBytes([file, new Uint8Array(500_000)])],
  ])('that is %s is rejected', async (_name, spoil) => {
    const result = await scan(spoil(buildDicom({ transferSyntaxUid: DEFLATED })));
    expect(result.findings).toMatchObject([{ code: 'DEFLATE_CORRUPT' }]);
  });

  it('is read behind its first MiB without holding it', async () => {
    const noise = new Uint8Array(3_000_000);
    for (let i = 0; i < noise.length; i += 1) noise[i] = (i * 2_654_435_761) >>> 24;
    const big = { tag: 0x00091010, vr: 'OB', value: noise };
    const result = await scanBuilt({ transferSyntaxUid: DEFLATED, elements: [big], patientId: 'BEHIND' });
    expect(result).toMatchObject({ verdict: 'valid', attributes: { patientId: 'BEHIND', rows: 64 } });
  });
});

describe('a scan is bounded', () => {
  it('in elements', async () => {
    const trailing = repeat(
      encodeElements([{ tag: 0x00091001, vr: 'LO', value: '' }], EXPLICIT_LITTLE),
      1_100_000,
    );
    const result = await scanBuilt({ pixels: null, trailing });
    expect(result.findings.map(({ code }) => code)).toContain('TOO_MANY_ELEMENTS');
    expect(result.findings.length).toBeLessThan(100);
  });

  it('in fragments', async () => {
    const trailing = repeat(header(0xfffee000, 0), 1_100_000);
    const pixels = { tag: 0x7fe00010, vr: 'OB', value: '', declaredLength: 0xffffffff };
    const result = await scanBuilt({ elements: [pixels], trailing });
    expect(result.findings).toMatchObject([{ code: 'TOO_MANY_FRAGMENTS' }]);
  });

  it('in bytes read for the header', async () => {
    const trailing = repeat(
      encodeElements([{ tag: 0x00091001, vr: 'LO', value: 'x'.repeat(60) }], EXPLICIT_LITTLE),
      10_000,
    );
    const bytes = buildDicom({ pixels: null, trailing });
    const result = await scanDicom(bytesSource(bytes), { maxHeaderBytes: 200_000 });
    expect(result.findings.map(({ code }) => code)).toContain('HEADER_TOO_LARGE');
    expect(result.cost.bytesRead).toBeLessThanOrEqual(200_000);
  });

  it('in time of its own', async () => {
    const element = encodeElements([{ tag: 0x00091001, vr: 'LO', value: '' }], EXPLICIT_LITTLE);
    const bytes = buildDicom({ pixels: null, trailing: repeat(element, 2_000) });
    const result = await scanDicom(bytesSource(bytes), { deadlineMs: 0 });
    expect(result.findings.map(({ code }) => code)).toContain('SCAN_TIMEOUT');
  });

  it('and skips long values instead of reading them', async () => {
    const value = new Uint8Array(30_000_000);
    const result = await scanBuilt({ elements: [{ tag: 0x00091010, vr: 'OB', value }] });
    expect(result.verdict).toBe('valid');
    expect(result.cost.bytesRead).toBeLessThanOrEqual(2 * 65_536);
  });

  it('but a slow source takes no time from it', async () => {
    const bytes = makeSlice();
    const slow: ByteSource = {
      size: bytes.length,
      async read(offset, length) {
        const until = performance.now() + 30;
        while (performance.now() < until);
        return bytes.subarray(offset, offset + length);
      },
    };
    expect((await scanDicom(slow, { deadlineMs: 20, windowBytes: 512 })).verdict).toBe('valid');
  });
});

describe('a source that fails', () => {
  it('is reported as itself, never as a fault of the file', async () => {
    const away: ByteSource = { size: 1000, read: () => Promise.reject(new Error('storage away')) };
    await expect(scanDicom(away)).rejects.toThrow('storage away');
    const short: ByteSource = { size: 1000, read: async () => new Uint8Array(10) };
    await expect(scanDicom(short)).rejects.toThrow('10 of 1000 bytes');
  });
});
