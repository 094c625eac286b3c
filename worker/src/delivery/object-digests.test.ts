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

it('cannot compare where the pixels stand behind what cannot be walked over', async () => {
  // Private contents of unknown VR and undefined length, as some archives write them.
  const unwalkable = { tag: 0x00091010, vr: 'UN', value: { items: [], undefinedLength: true } } as const;
  const theirs = { ...ANOTHER_WRITER, elements: [unwalkable], patientName: 'B' };
  expect(await compared({}, theirs)).toBe('incomparable');
});

it('cannot compare what is stored in another transfer syntax', async () => {
  expect(await compared({}, { transferSyntaxUid: JPEG_LOSSLESS })).toBe('incomparable');
});

it('takes a raw data set for the same as the file the PACS made of it', async () => {
  expect(await compared({ preamble: null, meta: null }, {})).toBe('same');
});
