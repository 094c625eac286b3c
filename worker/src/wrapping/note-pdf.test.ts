import { expect, it } from 'vitest';
import type { ClinicalNote } from './clinical-note.js';
import { renderNotePdf } from './note-pdf.js';

const NOTE: ClinicalNote = {
  text: 'Fell from a ladder.\n\nBleeding?',
  patientName: 'Müller, Änne',
  patientId: 'M-1',
  studyDate: '2026-03-04',
  serviceLevel: 'stat',
  author: 'Sarah Chen',
  sentAt: new Date('2026-03-04T10:11:12Z'),
};

const render = async (note: Partial<ClinicalNote> = {}) =>
  Buffer.from(await renderNotePdf({ ...NOTE, ...note })).toString('latin1');
const pagesOf = (pdf: string) => pdf.match(/\/Type \/Page\b/g)?.length;
/** The only words in italics are those that say that something could not be printed. */
const saysNotWhole = (pdf: string) => pdf.includes('+Roboto-Italic');

it('sets a short history on one page, with nothing of it in the metadata', async () => {
  const pdf = await render();
  expect(pdf).toMatch(/^%PDF-1\./);
  expect(pagesOf(pdf)).toBe(1);
  expect(pdf).toContain('(Clinical history)');
  expect(pdf).toContain('(D:20260304101112Z)');
  expect(pdf).not.toContain('ModDate');
  expect(pdf).not.toContain('/Author');
});

it('renders the same bytes each time', async () => {
  expect(await render()).toBe(await render());
});

it.each([
  ['Latin, Greek and Cyrillic', 'Čáp, ß, ≤ 3 µm, ½, “°C” – Πόνος, Боль\tв груди\r\n…'],
  ['accents that follow their letters', 'Mu\u0308ller, co\u0302te\u0301'],
  ['what shows nothing', 'A\u200bB\u200dC\ufeffD\u2060E\ufe0fF\u202eG\u2028H'],
  ['blanks of other widths', '12\u202f345\u2009mg\u3000a\u00a0b'],
])('prints %s', async (_, text) => {
  expect(saysNotWhole(await render({ text }))).toBe(false);
});

it.each([
  ['Japanese in the history', { text: '胸の痛み' }],
  ['Arabic in the history', { text: 'ألم' }],
  ['an emoji', { text: 'Fine 👍' }],
  ['a name', { patientName: '山田 太郎' }],
])('says so where it cannot print %s', async (_, note) => {
  expect(saysNotWhole(await render(note))).toBe(true);
});

it.each([
  ['words', 'Lorem ipsum dolor '.repeat(560), 4],
  ['one word', 'M'.repeat(10_000), 10],
  ['line breaks', 'a\n'.repeat(5_000), 200],
])('sets 10,000 characters of %s on several pages in little time', async (_, text, mostPages) => {
  const began = performance.now();
  const pages = pagesOf(await render({ text }));
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(pages).toBeGreaterThan(1);
  expect(pages).toBeLessThan(mostPages);
});
