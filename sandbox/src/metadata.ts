import { SPECIFIC_CHARACTER_SET } from './attributes.js';
import { type TextReader, textReader } from './character-set.js';
import { characterSetReader, withDataset } from './dicom-file.js';
import { type Attributes, elementOf, isBulk } from './dicom-json.js';
import { DicomFormatError, type WalkEvent, walkDataset } from './dicom-walk.js';

/** Text longer than this is given by reference like pixel data. */
const MAX_INLINE_BYTES = 1024 * 1024;
/** More than this is no header but an attack on memory; enhanced multi-frame headers of thousands of frames fit. */
const MAX_ELEMENTS = 200_000;
const MAX_TOTAL_BYTES = 16 * 1024 * 1024;

/** One data set under construction: the file's, or an item's of a sequence. */
interface Level {
  attributes: Attributes;
  readText: TextReader;
  /** Tags and item numbers that lead here, as they stand in a bulk data address. */
  path: string;
  /** The sequence being read at this level. */
  sequence?: { tag: string; items: Attributes[] };
}

/**
 * The whole header of a file as a DICOM JSON object (PS3.18 F.2), with binary values by reference below `instanceUrl`.
 * Encapsulated pixel data is left out, as Orthanc does.
 * Throws {@link DicomFormatError} when the header is too large to hold.
 */
export function readMetadata(file: string, instanceUrl: string): Promise<Attributes> {
  return withDataset(file, async ({ encoding, reader }) => {
    const around: Level[] = [];
    let level: Level = { attributes: {}, readText: textReader([]), path: '' };
    let elements = 0;
    let totalBytes = 0;

    for await (const event of walkDataset(reader, encoding)) {
      const { sequence } = level;
      if (event.kind === 'value') {
        elements++;
        const isInline = !isBulk(event.vr) && event.length <= MAX_INLINE_BYTES;
        if (isInline) totalBytes += event.length;
        addValue(level, event, isInline ? await reader.read(event.length) : undefined, instanceUrl);
      } else if (event.kind === 'sequence') {
        level.sequence = { tag: event.tag, items: [] };
      } else if (event.kind === 'item' && sequence) {
        elements++;
        const attributes: Attributes = {};
        sequence.items.push(attributes);
        around.push(level);
        const path = `${level.path}${sequence.tag.toLowerCase()}/${sequence.items.length}/`;
        level = { attributes, readText: level.readText, path };
      } else if (event.kind === 'itemEnd') {
        level = around.pop() ?? level;
      } else if (event.kind === 'sequenceEnd' && sequence) {
        const { tag, items } = sequence;
        level.attributes[tag] ??= items.length === 0 ? { vr: 'SQ' } : { vr: 'SQ', Value: items };
      }
      if (elements > MAX_ELEMENTS || totalBytes > MAX_TOTAL_BYTES) {
        throw new DicomFormatError('The header is too large to be shown');
      }
    }
    return level.attributes;
  });
}

type ValueEvent = Extract<WalkEvent, { kind: 'value' }>;

/** Adds an element to a level; of one that comes twice the first counts. Without its bytes it is given by reference. */
function addValue(level: Level, event: ValueEvent, bytes: Buffer | undefined, instanceUrl: string): void {
  const { tag, vr, length, bigEndian } = event;
  // Group lengths (PS3.5 7.2) are retired, and Orthanc leaves them out.
  if (tag.endsWith('0000') || tag in level.attributes) return;
  if (length === 0) {
    level.attributes[tag] = { vr };
  } else if (!bytes) {
    level.attributes[tag] = { vr, BulkDataURI: `${instanceUrl}/bulk/${level.path}${tag.toLowerCase()}` };
  } else if (tag === SPECIFIC_CHARACTER_SET) {
    level.readText = characterSetReader(bytes);
    // What is sent is UTF-8, whatever the file's text was in (PS3.18 F.2).
    level.attributes[tag] = { vr, Value: ['ISO_IR 192'] };
  } else {
    level.attributes[tag] = elementOf(vr, bytes, level.readText, bigEndian);
  }
}
