/** What is used of pdfmake 0.3; its published types bring the DOM's along. */
declare module 'pdfmake' {
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
    style?: string;
  }

  export type Content =
    | string
    | (Style & { text: string; preserveLeadingSpaces?: boolean })
    | (Style & { columns: Content[] })
    | (Style & { table: { widths: Array<number | string>; body: Content[][] }; layout?: string })
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

  export interface DocumentDefinition {
    pageSize: 'A4';
    pageMargins: Margins;
    info: { title: string; creator: string; producer: string; creationDate: Date };
    content: Content[];
    header?: (page: number, pages: number) => Content | null;
    footer?: (page: number, pages: number) => Content | null;
    styles: Record<string, Style>;
    defaultStyle: Style;
  }

  const pdfmake: {
    setFonts(fonts: Record<string, Record<'normal' | 'bold' | 'italics' | 'bolditalics', string>>): void;
    setUrlAccessPolicy(isAllowed: (url: string) => boolean): void;
    setLocalAccessPolicy(isAllowed: (path: string) => boolean): void;
    createPdf(definition: DocumentDefinition): { getBuffer(): Promise<Buffer> };
  };
  export default pdfmake;
}
