/** Longest UID, in characters (PS3.5 §9.1). */
const MAX_UID_LENGTH = 64;

/**
 * How well a value serves as a UID. PS3.5 §9.1 forbids leading zeros in a component, but scanners write them and
 * archives store them as they are, so they are only `odd`; and so is a UID of a single component.
 */
export function judgeUid(uid: string): 'valid' | 'odd' | 'invalid' {
  if (uid.length > MAX_UID_LENGTH || !/^\d+(\.\d+)*$/.test(uid)) return 'invalid';
  const components = uid.split('.');
  return components.length < 2 || components.some((component) => /^0\d/.test(component)) ? 'odd' : 'valid';
}

/** Whether a SOP Class UID lies outside of the standard's root (PS3.6 annex A). */
export function isPrivateSopClass(uid: string): boolean {
  return !uid.startsWith('1.2.840.10008.');
}
