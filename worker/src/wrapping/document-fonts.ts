import { createRequire } from 'node:module';
import path from 'node:path';
import { type Font, openSync } from 'fontkit';

/** Roboto (Apache-2.0) as pdfmake ships it: Latin, Greek and Cyrillic. */
const folder = path.join(
  path.dirname(createRequire(import.meta.url).resolve('pdfmake/package.json')),
  'fonts',
  'Roboto',
);

const file = (name: string) => path.join(folder, `Roboto-${name}.ttf`);

export const DOCUMENT_FONTS = {
  Roboto: {
    normal: file('Regular'),
    bold: file('Medium'),
    italics: file('Italic'),
    bolditalics: file('MediumItalic'),
  },
};

/** Stands for a character the font does not have. */
const MISSING = '?';

/** Text as the font can print it. Opened for each document: it takes some milliseconds, and nothing is kept. */
export function printable(text: string): { text: string; isWhole: boolean } {
  const font: Font = openSync(DOCUMENT_FONTS.Roboto.normal);
  let isWhole = true;
  const printed = Array.from(text.replace(/\r\n?/g, '\n'), (character) => {
    if (character === '\n') return character;
    if (character === '\t') return '    ';
    if (font.hasGlyphForCodePoint(character.codePointAt(0) ?? 0)) return character;
    isWhole = false;
    return MISSING;
  });
  return { text: printed.join(''), isWhole };
}
