import { expect, it } from 'vitest';
import { onlyReason, othersWords } from './left-out-words.js';

const empty = { path: 'a', reason: 'The file is empty.', empty: true, wanted: false };
const text = { path: 'b', reason: 'This is not a DICOM file.', empty: false, wanted: false };

it('does not count an empty file as one that is no image', () => {
  expect(othersWords([empty])).toBe('1 file is empty and will be left out.');
  expect(othersWords([text, text])).toBe('2 files are no images and will be left out.');
  expect(othersWords([text, empty, empty])).toBe(
    '1 file is no image, 2 files are empty; they will be left out.',
  );
});

it('tells a reason once when all files share it', () => {
  expect(onlyReason([text, text])).toBe('This is not a DICOM file.');
  expect(onlyReason([text, empty])).toBeUndefined();
});
