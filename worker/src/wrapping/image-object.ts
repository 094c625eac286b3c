import type { DicomElement } from '@relaypacs/core/dicom/encode.js';
import { TAG } from '@relaypacs/core/dicom/tags.js';
import { commonElements, writeDicomFile } from './common-elements.js';
import type { PreparedImage } from './prepared-image.js';
import type { WrapContext } from './wrap-context.js';
import type { WrappedObject } from './wrapped-object.js';

/** PS3.4 table B.5-1, with the modality of each (PS3.3 §C.7.3.1.1.1). */
const PHOTOGRAPH = { sopClassUid: '1.2.840.10008.5.1.4.1.1.77.1.4', modality: 'XC' };
const SECONDARY_CAPTURE = { sopClassUid: '1.2.840.10008.5.1.4.1.1.7', modality: 'OT' };

/** The DICOM file of a picture: VL Photographic Image (PS3.3 §A.32.4) for a camera's, Secondary Capture (§A.8.1) else. */
export function buildImageObject(image: PreparedImage, context: WrapContext): WrappedObject {
  const photograph = image.origin === 'camera';
  const { sopClassUid, modality } = photograph ? PHOTOGRAPH : SECONDARY_CAPTURE;
  const identity = {
    sopClassUid,
    sopInstanceUid: context.sopInstanceUid,
    transferSyntaxUid: image.transferSyntaxUid,
  };
  const elements = [
    ...commonElements(context, { sopClassUid, modality }),
    ...(photograph ? photographElements(image) : SECONDARY_CAPTURE_ELEMENTS),
    ...generalImageElements(image),
    ...pixelElements(image),
    ...lossyElements(image),
  ];
  return { ...identity, modality, bytes: writeDicomFile(elements, identity) };
}

/** VL Image and Acquisition Context (PS3.3 §C.8.12.1, C.7.6.14). */
function photographElements({ derivation }: PreparedImage): DicomElement[] {
  return [
    { tag: 0x00080008, vr: 'CS', value: derivation ? 'DERIVED\\PRIMARY' : 'ORIGINAL\\PRIMARY' },
    { tag: 0x00400555, vr: 'SQ', value: { items: [] } }, // Acquisition Context Sequence
  ];
}

/** SC Equipment (PS3.3 §C.8.6.1). Whose picture it is may well be written in it, as on any screen. */
const SECONDARY_CAPTURE_ELEMENTS: DicomElement[] = [
  { tag: 0x00080008, vr: 'CS', value: 'DERIVED\\SECONDARY' },
  { tag: 0x00080064, vr: 'CS', value: 'WSD' }, // Conversion Type: workstation
  { tag: TAG.burnedInAnnotation, vr: 'CS', value: 'YES' },
];

/** General Series and General Image (PS3.3 §C.7.3.1, C.7.6.1). */
function generalImageElements({ takenAt, derivation }: PreparedImage): DicomElement[] {
  const date = takenAt?.slice(0, 10).replaceAll('-', '') ?? '';
  const time = takenAt?.slice(11).replaceAll(':', '') ?? '';
  const taken = [
    { tag: 0x00080022, vr: 'DA', value: date }, // Acquisition Date
    { tag: 0x00080023, vr: 'DA', value: date }, // Content Date
    { tag: 0x00080032, vr: 'TM', value: time }, // Acquisition Time
    { tag: 0x00080033, vr: 'TM', value: time }, // Content Time
  ];
  return [
    ...(takenAt ? taken : []),
    ...(derivation ? [{ tag: 0x00082111, vr: 'ST', value: derivation }] : []), // Derivation Description
    { tag: 0x00200020, vr: 'CS', value: '' }, // Patient Orientation
    { tag: 0x00200060, vr: 'CS', value: '' }, // Laterality
  ];
}

/** Image Pixel (PS3.3 §C.7.6.3). */
function pixelElements(image: PreparedImage): DicomElement[] {
  return [
    { tag: TAG.samplesPerPixel, vr: 'US', value: image.samplesPerPixel },
    { tag: TAG.photometricInterpretation, vr: 'CS', value: image.photometricInterpretation },
    ...(image.planarConfiguration === undefined
      ? []
      : [{ tag: 0x00280006, vr: 'US', value: image.planarConfiguration }]), // Planar Configuration
    { tag: TAG.rows, vr: 'US', value: image.rows },
    { tag: TAG.columns, vr: 'US', value: image.columns },
    { tag: TAG.bitsAllocated, vr: 'US', value: image.bitsAllocated },
    { tag: 0x00280101, vr: 'US', value: image.bitsStored }, // Bits Stored
    { tag: 0x00280102, vr: 'US', value: image.bitsStored - 1 }, // High Bit
    { tag: 0x00280103, vr: 'US', value: 0 }, // Pixel Representation: unsigned
    {
      tag: TAG.pixelData,
      vr: !image.encapsulated && image.bitsAllocated > 8 ? 'OW' : 'OB',
      // An empty Basic Offset Table, then the frame in one fragment (PS3.5 §A.4).
      value: image.encapsulated ? { fragments: [new Uint8Array(0), image.pixels] } : image.pixels,
    },
  ];
}

/** PS3.3 §C.7.6.1.1.5: one ratio and method for each compression, in the order they happened. */
function lossyElements({ lossy, origin }: PreparedImage): DicomElement[] {
  // VL Image asks for the first one in any case (type 2); whether a photograph was compressed before is not known.
  if (lossy.length === 0) return origin === 'camera' ? [{ tag: 0x00282110, vr: 'CS', value: '' }] : [];
  return [
    { tag: 0x00282110, vr: 'CS', value: '01' }, // Lossy Image Compression
    { tag: 0x00282112, vr: 'DS', value: lossy.map(({ ratio }) => ratio.toFixed(2)).join('\\') }, // … Ratio
    { tag: 0x00282114, vr: 'CS', value: lossy.map(({ method }) => method).join('\\') }, // … Method
  ];
}
