import { count } from '../../ui/format.js';
import type { LeftOutFile, OtherFile } from './grouping.js';

/** How many files beside the images will not be sent. */
export function othersWords(others: readonly OtherFile[]): string {
  const empty = others.filter((file) => file.empty).length;
  const noImages = others.length - empty;
  const parts = [
    noImages === 1 ? '1 file is no image' : `${count(noImages, 'file')} are no images`,
    empty === 1 ? '1 file is empty' : `${count(empty, 'file')} are empty`,
  ];
  if (empty === 0) return `${parts[0]} and will be left out.`;
  if (noImages === 0) return `${parts[1]} and will be left out.`;
  return `${parts.join(', ')}; they will be left out.`;
}

/** Whether all files are left out for one and the same reason, which then need not be told file by file. */
export function onlyReason(files: readonly LeftOutFile[]): string | undefined {
  const reasons = new Set(files.map(({ reason }) => reason));
  const [reason] = reasons;
  return reasons.size === 1 ? reason : undefined;
}
