import { RECEIPT_ATTACHMENT, type Receipt, type ReceiptDelivery } from '@relaypacs/core/contract/receipts.js';
import {
  type DocumentFont,
  MISSING,
  openDocumentFont,
  printable,
} from '@relaypacs/core/documents/printable.js';
import { type PdfContent, type PdfDefinition, renderPdf } from '@relaypacs/core/documents/render-pdf.js';
import {
  confirmationWords,
  deliveryFacts,
  type Fact,
  headline,
  imageLabel,
  leftOut,
  receiptFacts,
} from './receipt-words.js';
import { payloadOf } from './sign-receipt.js';

/** In points. All columns have fixed widths: one that fits its content lets a long word run off the page. */
const MARGIN = 48;
const LINE_WIDTH = 499;
const NAME_WIDTH = 96;
const VALUE_WIDTH = LINE_WIDTH - NAME_WIDTH - 8;
const IMAGE_WIDTHS = [42, 252, 46, 111];
/** Images that are printed; each takes about half a millisecond. The attachment lists all. */
const MOST_ROWS = 5000;

const NOT_WHOLE = `Some characters cannot be printed here and are shown as “${MISSING}”. The attached file ${RECEIPT_ATTACHMENT} has them.`;

/**
 * Sets a receipt as a document: a page that says what was delivered, the list, and the signed receipt as attachment.
 *
 * @param mostRows - of all lists together
 */
export async function renderReceiptPdf(jws: string, mostRows = MOST_ROWS): Promise<Uint8Array> {
  const receipt = JSON.parse(payloadOf(jws)) as Receipt;
  return renderPdf(definition(receipt, jws, mostRows));
}

function definition(receipt: Receipt, jws: string, mostRows: number): PdfDefinition {
  const page = new PrintedText(openDocumentFont());
  const summary = [
    factTable(receiptFacts(receipt), page),
    ...receipt.deliveries.flatMap((delivery) => [rule(), factTable(deliveryFacts(delivery), page)]),
  ];
  const lists = imageLists(receipt.deliveries, page, mostRows);
  const notes = [{ text: leftOut(receipt) }, { text: page.isWhole ? '' : NOT_WHOLE, italics: true }].filter(
    ({ text }) => text !== '',
  );
  const creationDate = new Date(receipt.issuedAt);
  return {
    pageSize: 'A4',
    pageMargins: [MARGIN, MARGIN, MARGIN, 56],
    info: { title: 'Delivery receipt', creator: 'RelayPACS', producer: 'RelayPACS', creationDate },
    content: [
      { text: 'Delivery receipt', style: 'title' },
      { text: headline(receipt), style: 'headline' },
      ...notes.map((note): PdfContent => ({ ...note, color: '#8a4b00', margin: [0, 0, 0, 10] })),
      ...summary,
      rule(),
      { text: 'How to check this receipt', bold: true, margin: [0, 0, 0, 3] },
      { text: page.of(howToCheck(receipt)) },
      ...lists,
    ],
    header: (number) =>
      number === 1
        ? null
        : { text: `Delivery receipt ${receipt.id}`, margin: [MARGIN, 22, MARGIN, 0], style: 'margin' },
    footer: (number, pages) => ({
      columns: [
        { text: 'What is signed is the attached file, not the printed page.', width: 300 },
        { text: `Page ${number} of ${pages}`, alignment: 'right' },
      ],
      margin: [MARGIN, 18, MARGIN, 0],
      style: 'margin',
    }),
    styles: {
      title: { fontSize: 12, color: '#56666e', margin: [0, 0, 0, 2] },
      headline: { fontSize: 20, bold: true, margin: [0, 0, 0, 14] },
      name: { color: '#56666e' },
      margin: { fontSize: 8, color: '#56666e' },
      list: { fontSize: 7, lineHeight: 1.1 },
    },
    defaultStyle: { font: 'Roboto', fontSize: 9.5, lineHeight: 1.2 },
    files: {
      [RECEIPT_ATTACHMENT]: {
        src: `data:application/jose;base64,${Buffer.from(jws).toString('base64')}`,
        name: RECEIPT_ATTACHMENT,
        description: 'The signed receipt (JWS)',
        creationDate,
      },
    },
  };
}

/** Text as it can be printed, remembering whether anything could not. */
class PrintedText {
  isWhole = true;
  private readonly font: DocumentFont;

  constructor(font: DocumentFont) {
    this.font = font;
  }

  of(text: string): string {
    const printed = printable(text, this.font);
    this.isWhole &&= printed.isWhole;
    return printed.text;
  }
}

function factTable(facts: readonly Fact[], page: PrintedText): PdfContent {
  return {
    layout: 'noBorders',
    table: {
      widths: [NAME_WIDTH, VALUE_WIDTH],
      body: facts.map(([name, value]) => [{ text: name, style: 'name' }, page.of(value)]),
    },
  };
}

const rule = (): PdfContent => ({
  canvas: [{ type: 'line', x1: 0, y1: 0, x2: LINE_WIDTH, y2: 0, lineWidth: 0.75, lineColor: '#8aa0aa' }],
  margin: [0, 9, 0, 9],
});

function howToCheck({ issuer }: Receipt): string {
  return `The attached file ${RECEIPT_ATTACHMENT} holds what is said here, with the SHA-256 of every image as RelayPACS has it, signed by RelayPACS (JWS, RS256). In a checkout of RelayPACS, "npx relaypacs verify-receipt" checks it without a network, given this document and a saved copy of the public keys of ${issuer}/.well-known/jwks.json; any JOSE library checks it as well.`;
}

function imageLists(
  deliveries: readonly ReceiptDelivery[],
  page: PrintedText,
  mostRows: number,
): PdfContent[] {
  const content: PdfContent[] = [];
  let left = mostRows;
  for (const delivery of deliveries) {
    const { instances, studyInstanceUid, target } = delivery;
    const printed = instances.slice(0, left);
    left -= printed.length;
    const title = page.of(`Images delivered to ${target.name}, study ${studyInstanceUid}`);
    content.push({ text: title, bold: true, pageBreak: 'before', margin: [0, 0, 0, 6] });
    if (printed.length > 0) content.push(imageTable(printed, page));
    if (printed.length < instances.length) {
      const more = `${instances.length - printed.length} more are not printed. The attached file lists all.`;
      content.push({ text: more, margin: [0, 6, 0, 0] });
    }
  }
  return content;
}

function imageTable(instances: ReceiptDelivery['instances'], page: PrintedText): PdfContent {
  const head = [
    'Series / image',
    'SOP Instance UID, and SHA-256 as RelayPACS has it',
    'Bytes',
    'Confirmed by',
  ];
  return {
    style: 'list',
    layout: 'lightHorizontalLines',
    table: {
      headerRows: 1,
      dontBreakRows: true,
      widths: IMAGE_WIDTHS,
      body: [
        head.map((text) => ({ text, bold: true })),
        ...instances.map((instance, index) => [
          imageLabel(instance, index),
          // Digits only: always printable, and each fits its line.
          `${instance.sopInstanceUid}\n${instance.sha256}`,
          String(instance.size),
          page.of(confirmationWords(instance)),
        ]),
      ],
    },
  };
}
