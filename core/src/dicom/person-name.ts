/** Letters of scripts whose names are written family name first, without a comma. */
const EAST_ASIAN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

function formatGroup(group: string): string {
  const [family = '', given = '', middle = '', prefix = '', suffix = ''] = group
    .split('^')
    .map((component) => component.trim());
  if (EAST_ASIAN.test(group)) return [prefix, family, given, middle, suffix].filter(Boolean).join(' ');
  const rest = [prefix, given, middle].filter(Boolean).join(' ');
  return [family, rest, suffix].filter(Boolean).join(', ');
}

/**
 * Makes a decoded person name (PS3.5 §6.2.1) readable: `Doe^Jane` becomes `Doe, Jane`, and a second, ideographic
 * group is added in brackets: `Yamada, Tarou (山田 太郎)`. The phonetic group is shown only when it stands alone.
 */
export function formatPersonName(name: string): string {
  const [alphabetic = '', ideographic = '', phonetic = ''] = name.split('=').map(formatGroup);
  if (alphabetic !== '' && ideographic !== '' && alphabetic !== ideographic) {
    return `${alphabetic} (${ideographic})`;
  }
  return alphabetic || ideographic || phonetic;
}

/**
 * Makes a name a person has typed a DICOM person name (PS3.5 §6.2.1): `Doe, Jane Mary` becomes `Doe^Jane^Mary`. What
 * holds the DICOM delimiter already stays; a name without a comma is kept whole, as nothing says which part of it is
 * the family name.
 */
export function toPersonName(typed: string): string {
  const text = typed
    .replace(/[\p{Cc}\\=]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const [family = '', rest] = text.includes('^') ? [text] : text.split(/,(.*)/su);
  const given = (rest ?? '').trim().split(' ').filter(Boolean);
  const name = [family.trim(), given[0] ?? '', given.slice(1).join(' ')].join('^').replace(/\^+$/, '');
  return [...name].slice(0, 64).join('');
}
