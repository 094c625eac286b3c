import { expect, it } from 'vitest';
import { sizeWords } from './size-words.js';

const facts = {
  status: 'delivered' as const,
  receivedAt: '2026-01-15T10:00:00.000Z',
  fileCount: 40,
  totalBytes: 20_000_000,
  filesReceived: 38,
  bytesReceived: 18_500_000,
};

it('is of what arrived, once everything has', () => {
  expect(sizeWords(facts)).toBe('38 files, 18.5 MB');
  expect(sizeWords({ ...facts, status: 'received', filesReceived: 1 })).toBe('1 file, 18.5 MB');
});

it('is what was announced until then, also when more files are awaited', () => {
  expect(sizeWords({ ...facts, status: 'uploading', receivedAt: null })).toBe('40 files, 20 MB');
  expect(sizeWords({ ...facts, status: 'uploading' })).toBe('40 files, 20 MB');
  expect(sizeWords({ ...facts, status: 'expired', receivedAt: null })).toBe('40 files, 20 MB');
});
