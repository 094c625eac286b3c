import { count, formatBytes, formatDate } from '../../ui/format.js';
import type { FoundStudy, StudyWithin } from './grouping.js';

/** `CT, PT · 14 Jan 2026 · Head` */
export function studyFacts({ modalities, header }: Pick<StudyWithin, 'modalities' | 'header'>): string {
  return [
    modalities.join(', '),
    header.studyDate ? formatDate(header.studyDate) : '',
    header.studyDescription ?? '',
  ]
    .filter((fact) => fact !== '')
    .join(' · ');
}

/** `2 series, 30 images` */
export function imageCounts({
  seriesCount,
  imageCount,
}: Pick<StudyWithin, 'seriesCount' | 'imageCount'>): string {
  return `${count(seriesCount, 'series', 'series')}, ${count(imageCount, 'image')}`;
}

/** `2 series, 30 images, 3 photos, 15.7 MB`: what goes with one upload. */
export function cardCounts(study: FoundStudy): string {
  const photos = study.photos.length + study.photosWithin;
  return [
    study.imageCount > 0 ? imageCounts(study) : '',
    photos > 0 ? count(photos, 'photo') : '',
    formatBytes(study.totalBytes),
  ]
    .filter((part) => part !== '')
    .join(', ');
}

/** Where the images were found, when that is an archive; it is sent as it is. */
export function archiveWords({ archives }: FoundStudy): string | undefined {
  if (archives.length === 0) return undefined;
  if (archives.length === 1) return `In the archive ${archives[0]}, which is sent as it is.`;
  return `In ${count(archives.length, 'archive')}, which are sent as they are: ${archives.join(', ')}.`;
}

/** How many studies the PACS will have of it. */
export function studiesIn({ studies }: FoundStudy): number {
  return Math.max(1, studies.length);
}
