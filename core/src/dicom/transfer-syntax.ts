import type { Encoding } from './encoding.js';
import { EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE } from './encoding.js';

/** Transfer syntaxes that are written out natively (PS3.5 annex A). */
export const IMPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2';
export const EXPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';
export const DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = '1.2.840.10008.1.2.1.99';
export const EXPLICIT_VR_BIG_ENDIAN = '1.2.840.10008.1.2.2';
export const JPEG_BASELINE = '1.2.840.10008.1.2.4.50';
export const RLE_LOSSLESS = '1.2.840.10008.1.2.5';

/** GE's private syntax: implicit little endian with big endian pixels. */
const GE_PRIVATE_IMPLICIT = '1.2.840.113619.5.2';

const NATIVE = new Set([
  IMPLICIT_VR_LITTLE_ENDIAN,
  EXPLICIT_VR_LITTLE_ENDIAN,
  DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
  EXPLICIT_VR_BIG_ENDIAN,
  GE_PRIVATE_IMPLICIT,
]);

/** Every other syntax of PS3.6 table A-1 is explicit little endian with encapsulated pixel data. */
const KNOWN_ENCAPSULATED =
  /^1\.2\.840\.10008\.1\.2\.(1\.98|4\.(5[0-9]|6[0-6]|70|8[01]|9[0-5]|10[0-8]|10[2-6]\.1|11[0-2]|20[1-5])|5|8\.1)$/;

export interface TransferSyntax {
  uid: string;
  encoding: Encoding;
  deflated: boolean;
  /** `undefined` for a syntax we do not know: its pixel data is taken as it is found. */
  encapsulated: boolean | undefined;
  /** MPEG-2, H.264 and H.265: one fragment may hold all frames. */
  video: boolean;
}

/** What is known of a transfer syntax. Unknown ones are taken as explicit little endian, as PS3.5 §10.2 asks. */
export function describeTransferSyntax(uid: string): TransferSyntax {
  const native = NATIVE.has(uid);
  return {
    uid,
    encoding:
      uid === IMPLICIT_VR_LITTLE_ENDIAN || uid === GE_PRIVATE_IMPLICIT
        ? IMPLICIT_LITTLE
        : uid === EXPLICIT_VR_BIG_ENDIAN
          ? EXPLICIT_BIG
          : EXPLICIT_LITTLE,
    deflated: uid === DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    encapsulated: native ? false : KNOWN_ENCAPSULATED.test(uid) ? true : undefined,
    video: /^1\.2\.840\.10008\.1\.2\.4\.10[0-8]/.test(uid),
  };
}

/** The syntax to name for an encoding that was worked out from the bytes. */
export function transferSyntaxOf(encoding: Encoding): string {
  if (!encoding.explicitVr) return IMPLICIT_VR_LITTLE_ENDIAN;
  return encoding.littleEndian ? EXPLICIT_VR_LITTLE_ENDIAN : EXPLICIT_VR_BIG_ENDIAN;
}
