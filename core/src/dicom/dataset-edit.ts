import { Deflate } from 'fflate';
import { concatBytes } from './encode.js';
import { InflatedSource } from './inflated-source.js';
import type { ScanLimits } from './limits.js';
import type { ScanClock } from './scan-clock.js';
import type { ByteSource } from './source.js';
import { composedSource, type SourcePiece } from './source-piece.js';
import { DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN } from './transfer-syntax.js';

/** The data set of a file. */
export interface EditedDataset {
  source: ByteSource;
  /** Offset of its first data element, or of its deflated bytes, in the file. */
  datasetOffset: number;
  transferSyntaxUid: string | undefined;
}

/** Gives the pieces of a data set that begins at `start` of `source`; nothing when it cannot be edited so. */
export type DatasetEdit = (source: ByteSource, start: number) => Promise<SourcePiece[] | undefined>;

/**
 * A data set after an edit, as pieces of the file. A deflated one is inflated, and deflated anew in memory, within
 * the limits of the scan.
 *
 * @throws ScanRejection when it cannot be inflated or walked
 */
export async function editDataset(
  { source, datasetOffset, transferSyntaxUid }: EditedDataset,
  edit: DatasetEdit,
  limits: ScanLimits,
  clock: ScanClock,
): Promise<SourcePiece[] | undefined> {
  if (transferSyntaxUid !== DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN) return edit(source, datasetOffset);
  const inflated = await InflatedSource.open(source, datasetOffset, limits, clock);
  const pieces = await edit(inflated, 0);
  return pieces && [{ bytes: await deflate(composedSource(inflated, pieces), clock) }];
}

/** Bytes deflated between two looks at the clock. */
const DEFLATED_AT_ONCE = 64 * 1024;

/** A raw deflate stream (RFC 1951), padded to an even length (PS3.5 §A.5). */
async function deflate(source: ByteSource, clock: ScanClock): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const stream = new Deflate((chunk) => chunks.push(chunk));
  for (let offset = 0; offset < source.size; offset += DEFLATED_AT_ONCE) {
    const block = await source.read(offset, DEFLATED_AT_ONCE);
    stream.push(block, offset + block.length >= source.size);
    clock.check();
  }
  const bytes = concatBytes(chunks);
  return bytes.length % 2 === 0 ? bytes : concatBytes([bytes, new Uint8Array(1)]);
}
