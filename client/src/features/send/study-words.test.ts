import { expect, it } from 'vitest';
import type { FoundStudy } from './grouping.js';
import { archiveWords, cardCounts, studiesIn, studyFacts } from './study-words.js';

const study = {
  studies: [{}, {}],
  modalities: ['CT', 'PT'],
  header: { studyDate: '2026-01-14', studyDescription: 'Head' },
  seriesCount: 2,
  imageCount: 1200,
  photos: [{}],
  photosWithin: 2,
  totalBytes: 15_700_000,
  archives: ['a.zip'],
} as unknown as FoundStudy;

it('counts what goes with an upload', () => {
  expect(cardCounts(study)).toBe('2 series, 1,200 images, 3 photos, 15.7 MB');
  expect(cardCounts({ ...study, imageCount: 0, photosWithin: 0 })).toBe('1 photo, 15.7 MB');
  expect(studiesIn(study)).toBe(2);
  expect(studiesIn({ ...study, studies: [] })).toBe(1);
});

it('says what a study is, and in which archive it was found', () => {
  expect(studyFacts(study)).toBe('CT, PT · 14 Jan 2026 · Head');
  expect(archiveWords(study)).toBe('In the archive a.zip, which is sent as it is.');
  expect(archiveWords({ ...study, archives: ['a.zip', 'b.zip'] })).toBe(
    'In 2 archives, which are sent as they are: a.zip, b.zip.',
  );
  expect(archiveWords({ ...study, archives: [] })).toBeUndefined();
});
