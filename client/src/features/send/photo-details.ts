import type { PickedPhoto } from './grouping.js';

/** What photos say of the study they make, until the person says otherwise: the day they were taken, and their kind. */
export function photoDetails(
  photos: readonly PickedPhoto[],
  today = localDate(new Date()),
): { studyDate: string; modality: string } {
  const days = photos.flatMap(({ photo }) => photo.takenOn ?? []).filter((day) => day <= today);
  return {
    studyDate: days.sort().at(-1) ?? today,
    // Phones write photos as JPEG and pictures of their screen as PNG.
    modality:
      photos.some(({ photo }) => photo.format === 'png') &&
      photos.every(({ photo }) => photo.format === 'png')
        ? 'OT'
        : 'XC',
  };
}

/** The day where this device is, `YYYY-MM-DD`. */
export function localDate(now: Date): string {
  const month = String(now.getMonth() + 1).padStart(2, '0');
  return `${now.getFullYear()}-${month}-${String(now.getDate()).padStart(2, '0')}`;
}
