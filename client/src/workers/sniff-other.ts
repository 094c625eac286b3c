import type { NothingToSend } from './inspection.js';

/** First bytes of what cannot be sent, and what to do about it. */
const KNOWN: ReadonlyArray<readonly [start: string, offset: number, kind: 'archive' | 'picture' | 'pdf']> = [
  ["7z\xbc\xaf'\x1c", 0, 'archive'],
  ['Rar!\x1a\x07', 0, 'archive'],
  ['BZh', 0, 'archive'],
  ['\xfd7zXZ\0', 0, 'archive'],
  ['ustar', 257, 'archive'],
  ['GIF8', 0, 'picture'],
  ['BM', 0, 'picture'],
  ['II*\0', 0, 'picture'],
  ['MM\0*', 0, 'picture'],
  ['WEBP', 8, 'picture'],
  ['%PDF-', 0, 'pdf'],
];

const REFUSALS: Record<(typeof KNOWN)[number][2], NothingToSend> = {
  archive: {
    kind: 'other',
    wanted: true,
    reason:
      'This kind of archive cannot be opened. Unpack it and choose the folder, or make a ZIP file of it.',
  },
  picture: {
    kind: 'other',
    wanted: true,
    reason: 'This kind of picture cannot be sent. Save it as JPEG or PNG and choose it again.',
  },
  pdf: { kind: 'other', reason: 'This is a PDF document and not an image.' },
};

/** Bytes that `refusalOf` looks at. */
export const OTHER_HEAD_BYTES = 264;

/** Why a file that is neither DICOM nor a photo nor a ZIP is left out, by its first bytes. */
export function refusalOf(head: Uint8Array): NothingToSend {
  if (head.length === 0) return { kind: 'other', reason: 'The file is empty.' };
  const found = KNOWN.find(([start, offset]) => startsWith(head, start, offset));
  return found ? REFUSALS[found[2]] : { kind: 'other', reason: 'This is not a DICOM file.' };
}

export function startsWith(head: Uint8Array, text: string, offset: number): boolean {
  if (head.length < offset + text.length) return false;
  for (let i = 0; i < text.length; i += 1) if (head[offset + i] !== text.charCodeAt(i)) return false;
  return true;
}
