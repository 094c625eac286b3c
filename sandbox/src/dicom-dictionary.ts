import dictionary from 'dcmjs/dictionary';

/** dcmjs' own codes for tags whose VR depends on others (PS3.5 A.1), and what is read for them here. */
const AMBIGUOUS_VRS: Record<string, string> = { ox: 'OW', lt: 'OW', xs: 'US', up: 'UL' };

const vrs = new Map<string, string>();
const tags = new Map<string, string>();
for (const [key, { vr, name }] of Object.entries(dictionary)) {
  const [, group, element] = /^\(([0-9A-F]{4}),([0-9A-F]{4})\)$/.exec(key) ?? [];
  if (!group || !element || !vr) continue;
  vrs.set(group + element, AMBIGUOUS_VRS[vr] ?? vr);
  tags.set(name, group + element);
}

/** The VR of a tag (`GGGGEEEE`) in implicit VR data; `UN` for private and unknown ones. */
export function vrOf(tag: string): string {
  if (tag.endsWith('0000')) return 'UL';
  const isPrivateCreator = isPrivate(tag) && /^00[1-9A-F]/.test(tag.slice(4));
  return isPrivateCreator ? 'LO' : (vrs.get(tag) ?? 'UN');
}

/** Whether a tag is a vendor's own: its group is odd (PS3.5 7.8). */
export function isPrivate(tag: string): boolean {
  return Number.parseInt(tag.slice(0, 4), 16) % 2 === 1;
}

/**
 * The tag (`GGGGEEEE`) an attribute is named by in a QIDO query: a keyword or eight hex digits (PS3.18 8.3.4).
 * Names that are not in the dictionary give `undefined`.
 */
export function tagNamed(attribute: string): string | undefined {
  const hex = attribute.toUpperCase();
  return /^[0-9A-F]{8}$/.test(hex) ? hex : tags.get(attribute);
}

/** The tag of a keyword this code relies on. Throws when the dictionary lacks it: a mistake here, not in data. */
export function tag(keyword: string): string {
  const found = tags.get(keyword);
  if (!found) throw new Error(`The data dictionary has no attribute ${keyword}`);
  return found;
}
