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
