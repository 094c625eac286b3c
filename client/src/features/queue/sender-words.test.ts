import { expect, it } from 'vitest';
import { senderName, senderWords } from './sender-words.js';

const sender = { username: 'schen', fullName: 'Sarah Chen', facility: 'Hill Clinic' };

it('names a person as well as it is known', () => {
  expect(senderName(sender)).toBe('Sarah Chen');
  expect(senderWords(sender)).toBe('Sarah Chen (schen), Hill Clinic');
  const unnamed = { ...sender, fullName: null, facility: null };
  expect([senderName(unnamed), senderWords(unnamed)]).toEqual(['schen', 'schen']);
});
