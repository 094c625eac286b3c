import { openSync } from 'fontkit';
import { DOCUMENT_FONTS } from './document-fonts.js';

/** Stands for a character the font lacks. Not “?”, which means something in a clinical history: “?fracture”. */
export const MISSING = '\ufffd';
/** Longer than words are; what is longer can be broken after every so many characters. */
const LONG_WORD = /\S{60,}/gu;
const PIECE = /.{20}(?=.)/gu;

/** Says what the font of documents can print. */
export interface DocumentFont {
  hasGlyphForCodePoint(codePoint: number): boolean;
}

export function openDocumentFont(): DocumentFont {
  return openSync(DOCUMENT_FONTS.Roboto.normal);
}

/** Text as the font can print it; letters and their accents are joined, as the font has few accents by themselves. */
export function printable(text: string, font: DocumentFont): { text: string; isWhole: boolean } {
  let isWhole = true;
  const visible = text
    .normalize('NFC')
    .replace(/\r\n?|[\v\f\u0085\u2028\u2029]/g, '\n')
    .replaceAll('\t', '    ')
    .replace(/[^\P{Cc}\n]|\p{Default_Ignorable_Code_Point}/gu, '');
  const printed = Array.from(visible, (character) => {
    if (character === '\n' || font.hasGlyphForCodePoint(character.codePointAt(0) ?? 0)) return character;
    if (/\p{Zs}/u.test(character)) return ' ';
    isWhole = false;
    return MISSING;
  });
  return { text: breakable(printed.join('')), isWhole };
}

/** pdfmake breaks what is wider than a line as well, but takes 8 s for a word of 10,000 letters. */
function breakable(text: string): string {
  return text.replace(LONG_WORD, (word) => word.replace(PIECE, '$&\u200b'));
}
