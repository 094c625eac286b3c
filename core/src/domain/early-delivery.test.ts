import { expect, it } from 'vitest';
import { type EarlyRules, type EarlyUpload, mayGoEarly, wentOutWords } from './early-delivery.js';

const stat: EarlyUpload = { status: 'uploading', serviceLevel: 'stat', onDoubt: null, receivedAt: null };
const eager: EarlyRules = { delivery: { eager: 'stat' }, intake: { incomplete: 'warn', mismatch: 'warn' } };

it('begins early with STAT uploads that still arrive, where the operator wants it', () => {
  expect(mayGoEarly(stat, eager)).toBe(true);
  expect(mayGoEarly(stat, { ...eager, delivery: { eager: 'off' } })).toBe(false);
  for (const serviceLevel of ['emergency', 'routine'] as const) {
    expect(mayGoEarly({ ...stat, serviceLevel }, eager)).toBe(false);
  }
  for (const status of ['received', 'processing', 'delivering', 'cancelled', 'expired'] as const) {
    expect(mayGoEarly({ ...stat, status }, eager)).toBe(false);
  }
});

it('sends nothing early of what a doubt could hold, nor of what was opened again', () => {
  const holdIncomplete: EarlyRules = { ...eager, intake: { incomplete: 'hold', mismatch: 'warn' } };
  const holdMismatch: EarlyRules = { ...eager, intake: { incomplete: 'warn', mismatch: 'hold' } };
  for (const rules of [holdIncomplete, holdMismatch]) {
    expect(mayGoEarly(stat, rules)).toBe(false);
    expect(mayGoEarly({ ...stat, onDoubt: 'send' }, rules)).toBe(true);
  }
  expect(mayGoEarly({ ...stat, onDoubt: 'ask' }, eager)).toBe(false);
  expect(mayGoEarly({ ...stat, receivedAt: new Date() }, eager)).toBe(false);
});

it('says how many images are where, and of how many that is not known', () => {
  const name = (key: string) => (key === 'default' ? 'PACS' : 'Hill Archive');
  const went = (target: string, isThere: boolean) => ({
    id: '',
    studyId: '',
    uploadFileId: '',
    target,
    isThere,
  });
  expect(wentOutWords([went('default', true)], name)).toBe('1 image is in the PACS already');
  const both = [went('default', true), went('default', true), went('default', false)];
  expect(wentOutWords(both, name)).toBe('2 images are in the PACS already, and 1 more may be');
  expect(wentOutWords([...both.slice(0, 1), went('hill', false)], name)).toBe(
    '1 image is in the PACS already; 1 image may be in Hill Archive already',
  );
});
