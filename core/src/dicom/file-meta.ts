import { concatBytes, encodeElements } from './encode.js';
import { EXPLICIT_LITTLE } from './encoding.js';
import { TAG } from './tags.js';

/** Root `2.25` and a UUID of this project (PS3.5 §B.2): marks whose software wrote a file header. */
export const IMPLEMENTATION_CLASS_UID = '2.25.98093460318937291604781836522407163419';
export const IMPLEMENTATION_VERSION_NAME = 'RELAYPACS_0_1';

export const PREAMBLE_BYTES = 128;

/** Preamble, prefix and File Meta Information (PS3.10 §7.1) of an object, always in Explicit VR Little Endian. */
export function encodeFileHead(object: {
  sopClassUid: string;
  sopInstanceUid: string;
  transferSyntaxUid: string;
}): Uint8Array {
  const meta = encodeElements(
    [
      { tag: 0x00020001, vr: 'OB', value: Uint8Array.of(0, 1) }, // File Meta Information Version
      { tag: TAG.mediaStorageSopClassUid, vr: 'UI', value: object.sopClassUid },
      { tag: TAG.mediaStorageSopInstanceUid, vr: 'UI', value: object.sopInstanceUid },
      { tag: TAG.transferSyntaxUid, vr: 'UI', value: object.transferSyntaxUid },
      { tag: TAG.implementationClassUid, vr: 'UI', value: IMPLEMENTATION_CLASS_UID },
      { tag: TAG.implementationVersionName, vr: 'SH', value: IMPLEMENTATION_VERSION_NAME },
    ],
    EXPLICIT_LITTLE,
  );
  const groupLength = { tag: TAG.metaGroupLength, vr: 'UL', value: meta.length };
  return concatBytes([
    new Uint8Array(PREAMBLE_BYTES),
    new TextEncoder().encode('DICM'),
    encodeElements([groupLength], EXPLICIT_LITTLE),
    meta,
  ]);
}
