import { createRequire } from 'node:module';
import path from 'node:path';

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
