import { expect, it } from 'vitest';
import { othersWords } from './left-out-words.js';

const empty = { path: 'a', reason: 'The file is empty.', empty: true };
const text = { path: 'b', reason: 'This is not a DICOM file.', empty: false };

it('does not count an empty file as something that is not DICOM', () => {
  expect(othersWords([empty])).toBe('1 file is empty and will be left out.');
  expect(othersWords([text, text])).toBe('2 files are not DICOM images and will be left out.');
  expect(othersWords([text, empty, empty])).toBe(
    '1 file is not a DICOM image, 2 files are empty; they will be left out.',
  );
});
