import { MISSING, openDocumentFont, printable } from '@relaypacs/core/documents/printable.js';
import { type PdfContent, type PdfDefinition, renderPdf } from '@relaypacs/core/documents/render-pdf.js';
import type { ClinicalNote } from './clinical-note.js';

const SEX: Readonly<Record<string, string>> = { M: 'Male', F: 'Female', O: 'Other' };
const LEVEL = { routine: 'Routine', emergency: 'Emergency', stat: 'STAT' } as const;
const NOT_WHOLE = `Some characters cannot be printed here and are shown as “${MISSING}”. The full text is kept with the study in RelayPACS.`;
/** In points. The columns have fixed widths: one that fits its content lets a long word run off the page. */
const MARGIN = 56;
const LINE_WIDTH = 483;
const NAME_WIDTH = 110;
const VALUE_WIDTH = LINE_WIDTH - NAME_WIDTH - 8;

/** Sets a clinical history as a document of one or more A4 pages. */
export async function renderNotePdf(note: ClinicalNote): Promise<Uint8Array> {
  return renderPdf(definition(note));
}

function definition(note: ClinicalNote): PdfDefinition {
  const font = openDocumentFont();
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
        : [{ text: NOT_WHOLE, italics: true, color: '#8a4b00', margin: [0, 0, 0, 10] } as PdfContent]),
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
