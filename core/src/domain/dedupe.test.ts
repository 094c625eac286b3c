import { expect, it } from 'vitest';
import { dedupeText } from './dedupe.js';

it('takes spellings of one name for the same study', () => {
  const first = dedupeText('Müller^Jane', '2026-01-02', 'CT');
  expect(dedupeText('jane muller', '2026-01-02', 'ct')).toBe(first);
  expect(dedupeText('MULLER, Jane ', '2026-01-02', 'CT')).toBe(first);
});

it('keeps other names, dates and modalities apart', () => {
  const first = dedupeText('Doe^Jane', '2026-01-02', 'CT');
  expect(dedupeText('Doe^June', '2026-01-02', 'CT')).not.toBe(first);
  expect(dedupeText('Doe^Jane', '2026-01-03', 'CT')).not.toBe(first);
  expect(dedupeText('Doe^Jane', '2026-01-02', 'MR')).not.toBe(first);
});

it('keeps names apart that have no Latin letters', () => {
  expect(dedupeText('山田^太郎', '2026-01-02', 'CT')).not.toBe(dedupeText('山田^花子', '2026-01-02', 'CT'));
});
