import { expect, it } from 'vitest';
import { contentWords, deliveryWords } from './study-words.js';

const instances = {
  total: 60,
  stored: 60,
  verified: 60,
  verifiedBytes: 0,
  failed: 0,
  alreadyThere: 0,
  documents: 0,
};
const study = {
  seriesCount: 2,
  status: 'delivered',
  incomplete: false,
  waitingFor: null,
  problem: null,
  instances,
} as const;

it('says what a study holds', () => {
  expect(contentWords(study)).toBe('2 series, 60 images');
  expect(
    contentWords({ ...study, seriesCount: 1, instances: { ...instances, total: 3, documents: 2 } }),
  ).toBe('1 series, 1 image and the clinical history');
});

it('says how much of a study a PACS has', () => {
  expect(deliveryWords(study)).toBe('delivered, 60 of 60 confirmed');
  expect(
    deliveryWords({ ...study, status: 'failed', instances: { ...instances, verified: 58, failed: 2 } }),
  ).toBe('not delivered, 58 of 60 confirmed, 2 not taken');
});

it('says how many images the PACS has taken before it has confirmed them', () => {
  const going = {
    ...study,
    status: 'delivering',
    instances: { ...instances, stored: 20, verified: 0 },
  } as const;
  expect(deliveryWords(going)).toBe('being delivered, 20 of 60 taken, 0 confirmed');
  expect(deliveryWords({ ...going, waitingFor: 'pacs' })).toBe('waits for the PACS, 0 of 60 confirmed');
});

it('says that a study is incomplete while the rest of it still arrives', () => {
  const part = { ...instances, total: 12, stored: 12, verified: 11 };
  const begun = { ...study, status: 'delivering', incomplete: true, instances: part } as const;
  expect(contentWords(begun)).toBe('2 series, 12 images so far');
  expect(deliveryWords(begun)).toBe('incomplete, being delivered, 12 of 12 taken, 11 confirmed');
});

it('does not call images not taken that went and should not have', () => {
  const problem = { code: 'FAULT_AFTER_EARLY_DELIVERY', title: '', detail: '' };
  const counts = { ...instances, verified: 58, failed: 2 };
  expect(deliveryWords({ ...study, status: 'failed', problem, instances: counts })).toBe(
    'not delivered, 58 of 60 confirmed, 2 to be looked at',
  );
});

it('calls waiting for the PACS waiting', () => {
  expect(deliveryWords({ ...study, status: 'delivering', waitingFor: 'pacs' })).toContain(
    'waits for the PACS',
  );
});

it('says how many images the PACS had before', () => {
  const had = (alreadyThere: number) =>
    deliveryWords({ ...study, instances: { ...instances, alreadyThere } });
  expect(had(12)).toMatch(/, 12 images were in the PACS already$/);
  expect(had(1)).toMatch(/, 1 image was in the PACS already$/);
});
