import type { StudyAttributes } from './attributes.js';
import type { DatasetWalker } from './dataset-walker.js';
import type { FindingList } from './findings.js';
import { TAG } from './tags.js';
import type { TransferSyntax } from './transfer-syntax.js';

/**
 * Samples per pixel as they are stored natively: in YBR_FULL_422 two pixels share their colour, in YBR_PARTIAL_420
 * four do (PS3.3 §C.7.6.3.1.2).
 */
function storedSamples(samples: number, photometricInterpretation: string | undefined): number {
  if (samples !== 3) return samples;
  if (/^YBR_(FULL|PARTIAL)_422$/.test(photometricInterpretation ?? '')) return 2;
  return photometricInterpretation === 'YBR_PARTIAL_420' ? 1.5 : 3;
}

function bitsPerSample(tag: number, bitsAllocated: number | undefined): number | undefined {
  if (tag === TAG.floatPixelData) return 32;
  return tag === TAG.doubleFloatPixelData ? 64 : bitsAllocated;
}

/**
 * Bytes that native pixel data must have, without padding: Rows × Columns × Samples × Bits Allocated × Frames, where
 * bits run on over the borders of rows and frames (PS3.5 §8.1.1, §8.2).
 *
 * @returns `undefined` when the description is incomplete
 */
export function nativePixelBytes(
  attributes: StudyAttributes,
  tag: number = TAG.pixelData,
): number | undefined {
  const { rows, columns } = attributes;
  const bits = bitsPerSample(tag, attributes.bitsAllocated);
  if (rows === undefined || columns === undefined || bits === undefined) return undefined;
  const samples = storedSamples(attributes.samplesPerPixel ?? 1, attributes.photometricInterpretation);
  const frames = Math.max(1, attributes.numberOfFrames ?? 1);
  return Math.ceil((rows * columns * samples * bits * frames) / 8);
}

/**
 * Empty pixel data is a loss, and rejected, unless its writer counted it: a group length (7FE0,0000) that covers just
 * the header of an empty element was written for an object without pixels, which is the same as one that leaves the
 * element out. (The corpus calls GH1146, such an object, repairable, and relaylab 28_empty_pixeldata invalid.)
 */
function isEmptyOnPurpose({ pixelData, values }: DatasetWalker): boolean {
  const groupLength = values.get(TAG.pixelGroupLength);
  if (pixelData?.length !== 0 || groupLength?.bytes.length !== 4) return false;
  const view = new DataView(groupLength.bytes.buffer, groupLength.bytes.byteOffset, 4);
  return view.getUint32(0, groupLength.littleEndian) === pixelData.offset - pixelData.elementOffset;
}

/** Compares the pixel data with its description. */
export function checkPixelData(
  walker: DatasetWalker,
  attributes: StudyAttributes,
  syntax: TransferSyntax,
  findings: FindingList,
): void {
  const { pixelData } = walker;
  const { rows, columns } = attributes;
  if (rows === 0 || columns === 0) {
    findings.add('ZERO_DIMENSION', { tag: rows === 0 ? TAG.rows : TAG.columns });
    return;
  }
  if (pixelData === undefined || isEmptyOnPurpose(walker)) {
    if (rows !== undefined && columns !== undefined) findings.add('NO_PIXEL_DATA');
    return;
  }
  const place = { tag: pixelData.tag, offset: pixelData.elementOffset };
  if (pixelData.encapsulated) {
    if (syntax.encapsulated === false) findings.add('PIXEL_ENCODING_DOUBTFUL', place);
    if (pixelData.fragmentBytes === 0) findings.add('PIXEL_LENGTH', place);
    else if (!syntax.video && pixelData.fragments < (attributes.numberOfFrames ?? 1)) {
      findings.add('FRAMES_MISSING', place);
    }
    return;
  }
  // Uncompressed pixels under the name of a compressed syntax (PS3.5 §A.4): Orthanc 1.10.1 refuses them.
  if (syntax.encapsulated === true) findings.add('TRANSFER_SYNTAX_MISMATCH', place);
  const expected = nativePixelBytes(attributes, pixelData.tag);
  if (expected === undefined) findings.add('PIXEL_DESCRIPTION_INCOMPLETE', place);
  else if (pixelData.length < expected) findings.add('PIXEL_LENGTH', place);
  else if (pixelData.length > expected + (expected % 2)) findings.add('PIXEL_LENGTH_LONG', place);
}
