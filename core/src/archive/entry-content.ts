import type { ByteSource } from '../dicom/source.js';
import type { ContentStep } from './content-step.js';
import { ForwardInflate } from './forward-inflate.js';
import type { InflateRaw } from './inflate-cursor.js';
import { ContentDamaged } from './refusals.js';
import type { StreamingSource } from './stored-content.js';
import { StoredContent } from './stored-content.js';

export type { InflateRaw } from './inflate-cursor.js';

/** Content within a container, read where it lies. Up to four readers at a time go on without starting anew. */
export interface Content extends ByteSource {
  /** Streams a range, clamped to the content. The chunks are views that must not be changed. */
  stream(offset: number, length: number): AsyncIterable<Uint8Array>;
  /** Lets go of what is held; the source underneath stays open. */
  close(): Promise<void>;
}

/**
 * Opens content by the steps that lead to it, the outermost first; without steps, the source itself. Nothing is read
 * yet. Reads reject with `ContentDamaged` for a fault of the file, and with the source's own error for one of the
 * storage.
 * @param source streamed from, where it can be, for content that is stored
 * @throws ContentDamaged `ENTRY_TRUNCATED` when a step leads beyond what surrounds it, `ENTRY_DAMAGED` when stored
 * bytes are not as many as the content's
 */
export function openContent(
  source: StreamingSource,
  steps: readonly ContentStep[],
  inflate: InflateRaw,
): Content {
  const opened: Content[] = [];
  let inner: StreamingSource = source;
  for (const step of steps) {
    checkStep(step, inner.size);
    const content: Content = step.deflated
      ? new ForwardInflate(inner, step, inflate)
      : new StoredContent(inner, step.offset, step.bytes);
    opened.push(content);
    inner = content;
  }
  const innermost = opened.at(-1) ?? new StoredContent(source, 0, source.size);
  return {
    size: innermost.size,
    read: (offset, length) => innermost.read(offset, length),
    stream: (offset, length) => innermost.stream(offset, length),
    close: async () => {
      for (const content of opened.toReversed()) await content.close();
    },
  };
}

function checkStep({ offset, storedBytes, bytes, deflated }: ContentStep, size: number): void {
  if (offset < 0 || storedBytes < 0 || bytes < 0 || offset + storedBytes > size) {
    throw new ContentDamaged('ENTRY_TRUNCATED');
  }
  if (!deflated && storedBytes !== bytes) throw new ContentDamaged();
}
