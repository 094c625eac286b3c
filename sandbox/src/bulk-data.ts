import { openDataset } from './dicom-file.js';
import { walkDataset } from './dicom-walk.js';

/** The bytes of a value, or of one fragment of encapsulated pixel data, to be read before the next is asked for. */
export interface BulkValue {
  length: number;
  pieces: AsyncIterable<Buffer>;
}

/**
 * Finds a value by its path as metadata names it, `7fe00010` or `54000100/1/54001010`. Gives one value, one per
 * fragment of encapsulated pixel data, or none when the file has nothing under that path.
 */
export async function* readBulkData(file: string, path: string): AsyncGenerator<BulkValue> {
  const wanted = path.toUpperCase();
  const dataset = await openDataset(file);
  try {
    const { encoding, reader } = dataset;
    const sequences: { tag: string; items: number }[] = [];
    const pathOf = (tag: string) => sequences.map((each) => `${each.tag}/${each.items}/`).join('') + tag;
    let inFragments = false;
    for await (const event of walkDataset(reader, encoding)) {
      const innermost = sequences.at(-1);
      if (event.kind === 'sequence') sequences.push({ tag: event.tag, items: 0 });
      else if (event.kind === 'sequenceEnd') sequences.pop();
      else if (event.kind === 'item' && innermost) innermost.items++;
      else if (event.kind === 'fragments') inFragments = pathOf(event.tag) === wanted;
      else if (event.kind === 'fragmentsEnd' && inFragments) return;
      else if (
        event.kind === 'fragment' ? inFragments : event.kind === 'value' && pathOf(event.tag) === wanted
      ) {
        const { length } = event as { length: number };
        yield { length, pieces: reader.readPieces(length) };
        if (event.kind === 'value') return;
      }
    }
  } finally {
    await dataset.close();
  }
}
