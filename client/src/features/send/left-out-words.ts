import { count } from '../../ui/format.js';
import type { OtherFile } from './grouping.js';

/** How many files will not be sent, and what they are instead of images. */
export function othersWords(others: readonly OtherFile[]): string {
  const empty = others.filter((file) => file.empty).length;
  const noDicom = others.length - empty;
  const parts = [
    noDicom === 1 ? '1 file is not a DICOM image' : `${count(noDicom, 'file')} are not DICOM images`,
    empty === 1 ? '1 file is empty' : `${count(empty, 'file')} are empty`,
  ];
  if (empty === 0) return `${parts[0]} and will be left out.`;
  if (noDicom === 0) return `${parts[1]} and will be left out.`;
  return `${parts.join(', ')}; they will be left out.`;
}
