import type { UploadSummary } from '@relaypacs/core/contract/uploads.js';
import { count } from '../../ui/format.js';

/** What closing a failed upload costs, and what it does not touch; to be read before it is done. */
export function closingWords({
  filesReceived,
  instances,
}: Pick<UploadSummary, 'filesReceived' | 'instances'>): string {
  const files = filesReceived === 1 ? 'Its file is' : `Its ${count(filesReceived, 'file')} are`;
  return `${files} removed from RelayPACS, and nothing more of this study is sent. This cannot be undone. ${pacsWords(instances)}`;
}

function pacsWords({ total, stored, documents }: UploadSummary['instances']): string {
  const lost = (number: number) =>
    `lost unless ${number === 1 ? 'the original is' : 'the originals are'} kept elsewhere`;
  if (stored === 0) return `The PACS has confirmed nothing of it, so it is ${lost(total)}.`;
  const noun = documents > 0 ? 'images and documents' : total === 1 ? 'image' : 'images';
  const there = `${stored} of ${total} ${noun} ${stored === 1 ? 'is' : 'are'} in the PACS and ${stored === 1 ? 'stays' : 'stay'} there`;
  const missing = total - stored;
  if (missing === 0) return `${there}.`;
  return `${there}; the other ${missing === 1 ? 'one is' : `${missing} are`} ${lost(missing)}.`;
}
