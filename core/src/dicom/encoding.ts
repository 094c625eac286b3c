/** How the data elements of a data set are written (PS3.5 §7.1 and §7.3). */
export interface Encoding {
  explicitVr: boolean;
  littleEndian: boolean;
}

export const EXPLICIT_LITTLE: Encoding = { explicitVr: true, littleEndian: true };
export const IMPLICIT_LITTLE: Encoding = { explicitVr: false, littleEndian: true };
export const EXPLICIT_BIG: Encoding = { explicitVr: true, littleEndian: false };

/** Value Representations with a 16-bit length field (PS3.5 table 7.1-2). */
const SHORT_LENGTH_VRS = new Set('AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US'.split(' '));
/** Value Representations with two reserved bytes and a 32-bit length field (PS3.5 table 7.1-1). */
const LONG_LENGTH_VRS = new Set('OB OD OF OL OV OW SQ SV UC UN UR UT UV'.split(' '));

/** Whether two bytes are a Value Representation of the standard. */
export function isKnownVr(vr: string): boolean {
  return SHORT_LENGTH_VRS.has(vr) || LONG_LENGTH_VRS.has(vr);
}

/**
 * Whether the length field of a VR has 32 bits. PS3.5 §6.2 gives every future VR the long form; two bytes that
 * are not even capital letters are read as the short form, as DCMTK does, so that we see what a PACS will see.
 */
export function hasLongLength(vr: string): boolean {
  if (LONG_LENGTH_VRS.has(vr)) return true;
  return !SHORT_LENGTH_VRS.has(vr) && /^[A-Z]{2}$/.test(vr);
}
