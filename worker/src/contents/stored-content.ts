import type { ContentStep } from '@relaypacs/core/archive/content-step.js';
import { type Content, openContent } from '@relaypacs/core/archive/entry-content.js';
import type { FileOpener } from '@relaypacs/core/storage/uploaded-files.js';
import { nodeInflate } from './node-inflate.js';

/**
 * Opens what lies in an uploaded file, `steps` into archives; nothing is unpacked but what is read.
 *
 * @throws ObjectMissing when the bytes of the file are not all there
 */
export async function openStoredContent(
  files: FileOpener,
  fileId: string,
  steps: readonly ContentStep[],
): Promise<Content> {
  const object = await files.open(fileId);
  let content: Content;
  try {
    content = openContent(object, steps, nodeInflate);
  } catch (error) {
    await object.close();
    throw error;
  }
  return {
    size: content.size,
    read: (offset, length) => content.read(offset, length),
    stream: (offset, length) => content.stream(offset, length),
    async close() {
      await content.close();
      await object.close();
    },
  };
}
