import pdfmake from 'pdfmake';
import type { Content, TDocumentDefinitions } from 'pdfmake/interfaces.js';
import type { ClinicalNote } from './clinical-note.js';
import { DOCUMENT_FONTS, printable } from './document-fonts.js';

const SEX: Readonly<Record<string, string>> = { M: 'Male', F: 'Female', O: 'Other' };
const LEVEL = { routine: 'Routine', emergency: 'Emergency', stat: 'STAT' } as const;
/** Longest run without a blank that is set as one word: a longer one would leave the page. */
const MOST_WORD = 60;
const NOT_WHOLE =
  'Some characters cannot be printed here and are shown as “?”. The full text stands in the text document beside this one.';

/** Sets a clinical history as a document of one or more A4 pages. */
export async function renderNotePdf(note: ClinicalNote): Promise<Uint8Array> {
  pdfmake.setFonts(DOCUMENT_FONTS);
  // Nothing but the fonts is read, and nothing is fetched, whatever stands in the text.
  pdfmake.setUrlAccessPolicy(() => false);
  pdfmake.setLocalAccessPolicy((file) => Object.values(DOCUMENT_FONTS.Roboto).includes(file));
  return new Uint8Array(await pdfmake.createPdf(definition(note)).getBuffer());
}

function definition(note: ClinicalNote): TDocumentDefinitions {
  const history = printable(note.text);
  const facts = factsOf(note).map(([name, value]) => ({ name, ...printable(value) }));
  const isWhole = history.isWhole && facts.every((fact) => fact.isWhole);
  return {
    pageSize: 'A4',
    pageMargins: [56, 56, 56, 64],
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
          widths: [110, '*'],
          body: facts.map(({ name, text }) => [{ text: name, style: 'name' }, breakable(text)]),
        },
      },
      {
        canvas: [{ type: 'line', x1: 0, y1: 0, x2: 483, y2: 0, lineWidth: 0.75, lineColor: '#8aa0aa' }],
        margin: [0, 12, 0, 12],
      },
      ...(isWhole
        ? []
        : [{ text: NOT_WHOLE, italics: true, color: '#8a4b00', margin: [0, 0, 0, 10] } as Content]),
      { text: breakable(history.text), preserveLeadingSpaces: true },
    ],
    footer: (page, pages) => ({
      columns: [
        { text: 'Written by the sender of the study; passed on by RelayPACS.' },
        { text: `Page ${page} of ${pages}`, alignment: 'right' },
      ],
      margin: [56, 20, 56, 0],
      fontSize: 8,
      color: '#56666e',
    }),
    styles: { title: { fontSize: 18, bold: true, margin: [0, 0, 0, 12] }, name: { color: '#56666e' } },
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

/** Lets words that are longer than a line be broken. */
function breakable(text: string): string {
  return text.replace(new RegExp(`\\S{${MOST_WORD}}(?=\\S)`, 'gu'), '$&\u200b');
}
