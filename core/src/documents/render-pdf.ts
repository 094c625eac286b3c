import pdfmake from 'pdfmake';
import { DOCUMENT_FONTS } from './document-fonts.js';

type Margins = [left: number, top: number, right: number, bottom: number];

interface Style {
  font?: string;
  fontSize?: number;
  bold?: boolean;
  italics?: boolean;
  color?: string;
  lineHeight?: number;
  margin?: Margins;
  alignment?: 'left' | 'right' | 'center';
  /** Of a column. */
  width?: number;
  style?: string;
}

/** A piece of a document, as pdfmake takes it. */
export type PdfContent =
  | string
  | (Style & { text: string; preserveLeadingSpaces?: boolean; pageBreak?: 'before' })
  | (Style & { columns: PdfContent[] })
  | (Style & { stack: PdfContent[] })
  | (Style & {
      table: {
        widths: Array<number | string>;
        body: PdfContent[][];
        headerRows?: number;
        dontBreakRows?: boolean;
      };
      layout?: string;
    })
  | (Style & {
      canvas: Array<{
        type: 'line';
        x1: number;
        y1: number;
        x2: number;
        y2: number;
        lineWidth: number;
        lineColor: string;
      }>;
    });

/** A whole document, as pdfmake takes it. */
export interface PdfDefinition {
  pageSize: 'A4';
  pageMargins: Margins;
  info: { title: string; creator: string; producer: string; creationDate: Date };
  content: PdfContent[];
  header?: (page: number, pages: number) => PdfContent | null;
  footer?: (page: number, pages: number) => PdfContent | null;
  styles: Record<string, Style>;
  defaultStyle: Style;
  /** Attached to the document; `src` is a data URL. */
  files?: Record<string, { src: string; name: string; description: string; creationDate: Date }>;
}

/** Renders a document. Nothing but its fonts is read from the disk, and nothing is fetched, whatever stands in it. */
export async function renderPdf(definition: PdfDefinition): Promise<Uint8Array> {
  pdfmake.setFonts(DOCUMENT_FONTS);
  pdfmake.setUrlAccessPolicy(() => false);
  pdfmake.setLocalAccessPolicy((file) => Object.values(DOCUMENT_FONTS.Roboto).includes(file));
  return new Uint8Array(await pdfmake.createPdf(definition).getBuffer());
}
