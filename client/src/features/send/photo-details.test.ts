import { expect, it } from 'vitest';
import type { PickedPhoto } from './grouping.js';
import { localDate, photoDetails } from './photo-details.js';

const photo = (format: 'jpeg' | 'png', takenOn?: string): PickedPhoto => ({
  file: new File(['x'], 'a'),
  path: 'a',
  photo: { kind: 'image', format, ...(takenOn ? { takenOn } : {}) },
});

it('takes the last day on which one was taken, and today when none says or the clock was wrong', () => {
  const photos = [photo('jpeg', '2026-01-14'), photo('jpeg', '2026-01-15'), photo('jpeg')];
  expect(photoDetails(photos, '2026-03-01').studyDate).toBe('2026-01-15');
  expect(photoDetails([photo('jpeg', '2031-01-01')], '2026-03-01').studyDate).toBe('2026-03-01');
  expect(localDate(new Date(2026, 0, 5, 23, 59))).toBe('2026-01-05');
});

it('takes JPEG for photos, and PNG alone for pictures of a screen', () => {
  expect(photoDetails([photo('jpeg'), photo('png')]).modality).toBe('XC');
  expect(photoDetails([photo('png')]).modality).toBe('OT');
});
