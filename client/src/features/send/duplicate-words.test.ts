import { expect, it } from 'vitest';
import { duplicateWords } from './duplicate-words.js';

const now = new Date(2026, 0, 14, 23, 0);
const earlier = {
  id: 'u1',
  createdAt: new Date(2026, 0, 14, 22, 47).toISOString(),
  status: 'uploading' as const,
  differs: false,
};

it('offers to continue what is not finished', () => {
  expect(duplicateWords(earlier, false, now)).toMatchObject({
    kind: 'unfinished',
    sentence: 'You began to send this study at 22:47 and it is not finished. Continue it?',
  });
  expect(duplicateWords({ ...earlier, status: 'created' }, false, now).kind).toBe('unfinished');
  const tomorrow = new Date(2026, 0, 15, 1, 0);
  expect(duplicateWords(earlier, false, tomorrow).sentence).toContain('on 14 Jan 2026, 22:47');
});

it('does not offer it for what this page is sending, for other files, or for what has been sent', () => {
  expect(duplicateWords(earlier, true, now).kind).toBe('underWay');
  expect(duplicateWords({ ...earlier, differs: true }, false, now).kind).toBe('differs');
  const sent = duplicateWords({ ...earlier, status: 'delivered' }, false, now);
  expect(sent.kind).toBe('sent');
  expect(sent.sentence).toContain('was sent before: today, 22:47 (delivered)');
});
