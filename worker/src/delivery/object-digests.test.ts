import { createHash } from 'node:crypto';
import { buildDicom, type DicomOptions } from '@relaypacs/core/dicom/testing/build.js';
import { expect, it } from 'vitest';
import { type Comparison, compareObjects, digestObject } from './object-digests.js';

const UIDS = { sopInstanceUid: '1.2.1', studyInstanceUid: '1.2.2', seriesInstanceUid: '1.2.3' };
const IMPLICIT = '1.2.840.10008.1.2';
const BIG_ENDIAN = '1.2.840.10008.1.2.2';
const DEFLATED = '1.2.840.10008.1.2.1.99';
const JPEG_LOSSLESS = '1.2.840.10008.1.2.4.70';
/** The file meta information differs, as after a PACS wrote the object anew. */
const ANOTHER_WRITER: DicomOptions = { meta: { sopClassUid: '1.2.840.10008.5.1.4.1.1.7' } };

async function digest(options: DicomOptions, chunk = 1000) {
  const bytes = buildDicom({ ...UIDS, ...options });
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
  }
  return { bytes, digests: await digestObject(chunks()) };
}

async function compared(ours: DicomOptions, theirs: DicomOptions): Promise<Comparison> {
  return compareObjects((await digest(ours)).digests, (await digest(theirs)).digests);
}

it.each([1, 8, 1000, 100_000])('digests the file whatever the size of the pieces (%i)', async (chunk) => {
  const { bytes, digests } = await digest({ nesting: 3 }, chunk);
  expect(digests.file).toEqual(createHash('sha256').update(bytes).digest());
  expect(digests.transferSyntaxUid).toBe('1.2.840.10008.1.2.1');
  expect(digests.pixels).toBeDefined();
});

it.each([
  ['implicit VR', { transferSyntaxUid: IMPLICIT, nesting: 2 }],
  ['sequences of defined length', { nesting: 2, nestingLengths: 'defined' as const }],
  ['compressed frames', { transferSyntaxUid: JPEG_LOSSLESS, frames: 3 }],
])('finds the pixels behind %s', async (_, options) => {
  expect((await digest(options)).digests.pixels).toBeDefined();
});

it.each([BIG_ENDIAN, DEFLATED])('does not pretend to find pixels in %s', async (transferSyntaxUid) => {
  expect((await digest({ transferSyntaxUid })).digests.pixels).toBeUndefined();
});

it('takes equal files for the same', async () => {
  expect(await compared({}, {})).toBe('same');
});

it('takes other pixels for a different image', async () => {
  expect(await compared({}, { pixels: new Uint8Array(64 * 64 * 2) })).toBe('different');
});

it('takes another header by the same writer for a different image', async () => {
  expect(await compared({}, { patientName: 'Other^Patient' })).toBe('different');
});

it('takes an object for the same when only its file header was written anew', async () => {
  expect(await compared({}, ANOTHER_WRITER)).toBe('same');
});

it('knows an image by its pixels when the PACS wrote the header anew', async () => {
  const patientName = 'Corrected^Patient';
  expect(await compared({}, { ...ANOTHER_WRITER, patientName })).toBe('rewritten');
  const pixels = new Uint8Array(64 * 64 * 2);
  expect(await compared({}, { ...ANOTHER_WRITER, patientName, pixels })).toBe('different');
});

it.each([
  [
    'padding behind the pixels',
    { trailing: new Uint8Array([0xfc, 0xff, 0xfc, 0xff, 0x4f, 0x42, 0, 0, 0, 0, 0, 0]) },
    {},
  ],
  [
    'other fragments of the same frame',
    { transferSyntaxUid: JPEG_LOSSLESS, fragments: [new Uint8Array([1, 2, 3, 4])] },
    { transferSyntaxUid: JPEG_LOSSLESS, fragments: [new Uint8Array([1, 2]), new Uint8Array([3, 4])] },
  ],
])('knows an image by its pixels alone: %s', async (_, ours, theirs) => {
  expect(await compared(ours, { ...ANOTHER_WRITER, ...theirs, patientName: 'B' })).toBe('rewritten');
});

it('takes other compressed pixels for a different image', async () => {
  const frame = (value: number) => ({
    transferSyntaxUid: JPEG_LOSSLESS,
    fragments: [new Uint8Array([1, value])],
  });
  expect(await compared(frame(2), { ...ANOTHER_WRITER, ...frame(3), patientName: 'B' })).toBe('different');
});

it('cannot compare an object without pixels that was written anew', async () => {
  expect(await compared({ pixels: null }, { ...ANOTHER_WRITER, pixels: null, patientName: 'A' })).toBe(
    'incomparable',
  );
});

it('takes an image that lost its pixels for a different one', async () => {
  expect(await compared({}, { ...ANOTHER_WRITER, pixels: null })).toBe('different');
});

it('finds the pixels behind private contents of unknown VR and undefined length', async () => {
  const item = [{ tag: 0x00091011, vr: 'LO', value: 'private' }] as const;
  const unknown = { tag: 0x00091010, vr: 'UN', value: { items: [item], undefinedLength: true } } as const;
  // As some archives write them: in implicit VR inside.
  const theirs = { ...ANOTHER_WRITER, elements: [unknown], patientName: 'B' };
  expect(await compared({}, theirs)).toBe('rewritten');
});

async function comparedWith(ours: DicomOptions, theirs: Uint8Array): Promise<Comparison> {
  async function* whole() {
    yield theirs;
  }
  return compareObjects((await digest(ours)).digests, await digestObject(whole()));
}

it.each([
  ['nothing at all', new Uint8Array()],
  ['a web page', Buffer.from(`<!doctype html><title>Sign in</title>${' '.repeat(500)}`)],
  [
    'bytes after a preamble that are none',
    Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), Buffer.alloc(99)]),
  ],
])('takes %s for different, whatever was sent', async (_, theirs) => {
  for (const ours of [
    {},
    { pixels: null },
    { preamble: null, meta: null },
    { transferSyntaxUid: DEFLATED },
  ]) {
    expect(await comparedWith(ours, theirs)).toBe('different');
  }
});

it.each([
  ['native pixels', {}],
  ['implicit VR', { transferSyntaxUid: IMPLICIT }],
  ['compressed pixels', { transferSyntaxUid: JPEG_LOSSLESS, frames: 3 }],
  ['a deflated data set', { transferSyntaxUid: DEFLATED }],
  ['a big endian data set', { transferSyntaxUid: BIG_ENDIAN }],
  ['no pixels', { pixels: null }],
])('takes a cut off object for different though its file header was written anew: %s', async (_, ours) => {
  const { bytes } = await digest({ ...ours, ...ANOTHER_WRITER });
  const ends = [2, 6, 40, Math.round(bytes.length / 2)].map((missing) => bytes.length - missing);
  for (const end of ends) expect(await comparedWith(ours, bytes.subarray(0, end))).toBe('different');
});

it('takes a cut off object for different also in another transfer syntax', async () => {
  const { bytes } = await digest({ transferSyntaxUid: JPEG_LOSSLESS, frames: 3 });
  expect(await comparedWith({}, bytes)).toBe('incomparable');
  expect(await comparedWith({}, bytes.subarray(0, -20))).toBe('different');
  const { bytes: empty } = await digest({ transferSyntaxUid: IMPLICIT, pixels: new Uint8Array() });
  expect(await comparedWith({}, empty)).toBe('different');
});

it('takes an object without pixels that lacks its last element for different', async () => {
  const last = { tag: 0x00420011, vr: 'OB', value: new Uint8Array([1, 2]) } as const;
  const without = { ...ANOTHER_WRITER, pixels: null };
  expect(await compared({ pixels: null, elements: [last] }, without)).toBe('different');
});

it('cannot compare what is stored in another transfer syntax', async () => {
  expect(await compared({}, { transferSyntaxUid: JPEG_LOSSLESS })).toBe('incomparable');
});

it('takes a raw data set for the same as the file the PACS made of it', async () => {
  expect(await compared({ preamble: null, meta: null }, {})).toBe('same');
});
