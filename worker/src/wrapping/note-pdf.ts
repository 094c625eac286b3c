import { type Font, openSync } from 'fontkit';
import pdfmake, { type Content, type DocumentDefinition } from 'pdfmake';
import type { ClinicalNote } from './clinical-note.js';
import { DOCUMENT_FONTS } from './document-fonts.js';

const SEX: Readonly<Record<string, string>> = { M: 'Male', F: 'Female', O: 'Other' };
const LEVEL = { routine: 'Routine', emergency: 'Emergency', stat: 'STAT' } as const;
/** Stands for a character the font lacks. Not “?”, which means something in a clinical history: “?fracture”. */
const MISSING = '\ufffd';
const NOT_WHOLE = `Some characters cannot be printed here and are shown as “${MISSING}”. The full text is kept with the study in RelayPACS.`;
/** Longer than words are; what is longer can be broken after every so many characters. */
const LONG_WORD = /\S{60,}/gu;
const PIECE = /.{20}(?=.)/gu;
/** In points. The columns have fixed widths: one that fits its content lets a long word run off the page. */
const MARGIN = 56;
const LINE_WIDTH = 483;
const NAME_WIDTH = 110;
const VALUE_WIDTH = LINE_WIDTH - NAME_WIDTH - 8;

/** Sets a clinical history as a document of one or more A4 pages. */
export async function renderNotePdf(note: ClinicalNote): Promise<Uint8Array> {
  pdfmake.setFonts(DOCUMENT_FONTS);
  // Nothing but the fonts is read, and nothing is fetched, whatever stands in the text.
  pdfmake.setUrlAccessPolicy(() => false);
  pdfmake.setLocalAccessPolicy((file) => Object.values(DOCUMENT_FONTS.Roboto).includes(file));
  return new Uint8Array(await pdfmake.createPdf(definition(note)).getBuffer());
}

function definition(note: ClinicalNote): DocumentDefinition {
  const font = openSync(DOCUMENT_FONTS.Roboto.normal);
  const history = printable(note.text, font);
  const facts = factsOf(note).map(([name, value]) => ({ name, ...printable(value, font) }));
  const patient = printable([note.patientName, note.patientId].filter(Boolean).join(' · '), font);
  const isWhole = history.isWhole && facts.every((fact) => fact.isWhole);
  return {
    pageSize: 'A4',
    pageMargins: [MARGIN, MARGIN, MARGIN, 64],
    info: {
      title: 'Clinical history',
      creator: 'RelayPACS',
      producer: 'RelayPACS',
      creationDate: note.sentAt,
    },
    content: [
      { text: 'Clinical history', style: 'title' },
      {
        layout: 'noBorders',
        table: {
          widths: [NAME_WIDTH, VALUE_WIDTH],
          body: facts.map(({ name, text }) => [{ text: name, style: 'name' }, text]),
        },
      },
      {
        canvas: [
          { type: 'line', x1: 0, y1: 0, x2: LINE_WIDTH, y2: 0, lineWidth: 0.75, lineColor: '#8aa0aa' },
        ],
        margin: [0, 12, 0, 12],
      },
      ...(isWhole
        ? []
        : [{ text: NOT_WHOLE, italics: true, color: '#8a4b00', margin: [0, 0, 0, 10] } as Content]),
      { text: history.text, preserveLeadingSpaces: true },
    ],
    // A page that is parted from the first must still say whose it is.
    header: (page) =>
      page === 1 ? null : { text: patient.text, margin: [MARGIN, 24, MARGIN, 0], style: 'margin' },
    footer: (page, pages) => ({
      columns: [
        { text: 'Written by the sender of the study; passed on by RelayPACS.' },
        { text: `Page ${page} of ${pages}`, alignment: 'right' },
      ],
      margin: [MARGIN, 20, MARGIN, 0],
      style: 'margin',
    }),
    styles: {
      title: { fontSize: 18, bold: true, margin: [0, 0, 0, 12] },
      name: { color: '#56666e' },
      margin: { fontSize: 8, color: '#56666e' },
    },
    defaultStyle: { font: 'Roboto', fontSize: 10.5, lineHeight: 1.25 },
  };
}

function factsOf(note: ClinicalNote): Array<[string, string]> {
  const facts: Array<[string, string | undefined]> = [
    ['Patient', note.patientName],
    ['Patient ID', note.patientId],
    ['Date of birth', note.patientBirthDate],
    ['Sex', note.patientSex && (SEX[note.patientSex] ?? note.patientSex)],
    ['Study date', note.studyDate],
    ['Study', note.studyDescription],
    ['Service level', LEVEL[note.serviceLevel]],
    ['Sent by', note.author],
    ['Sent', `${note.sentAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`],
  ];
  return facts.flatMap(([name, value]) => (value ? [[name, value] as [string, string]] : []));
}

/** Text as the font can print it; letters and their accents are joined, as the font has few accents by themselves. */
function printable(text: string, font: Font): { text: string; isWhole: boolean } {
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
