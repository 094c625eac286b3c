import { expect, it } from 'vitest';
import { closingWords } from './closing-words.js';

const instances = {
  total: 60,
  stored: 58,
  verified: 58,
  verifiedBytes: 0,
  failed: 2,
  alreadyThere: 0,
  documents: 0,
};

it('says what is lost, what stays in the PACS, and that it cannot be undone', () => {
  expect(closingWords({ filesReceived: 60, instances })).toBe(
    'Its 60 files are removed from RelayPACS, and nothing more of this study is sent. This cannot be undone. 58 of 60 images are in the PACS and stay there; the other 2 are lost unless the originals are kept elsewhere.',
  );
  expect(closingWords({ filesReceived: 1, instances: { ...instances, total: 2, stored: 1 } })).toBe(
    'Its file is removed from RelayPACS, and nothing more of this study is sent. This cannot be undone. 1 of 2 images is in the PACS and stays there; the other one is lost unless the original is kept elsewhere.',
  );
});

it('says that nothing is in the PACS where it has confirmed nothing', () => {
  expect(closingWords({ filesReceived: 3, instances: { ...instances, stored: 0 } })).toMatch(
    /This cannot be undone\. The PACS has confirmed nothing of it, so it is lost unless the originals are kept elsewhere\.$/,
  );
});

it('speaks of the clinical history as what it is', () => {
  const some = { ...instances, total: 5, stored: 4, documents: 2 };
  expect(closingWords({ filesReceived: 3, instances: some })).toContain(
    '4 of 5 images and documents are in the PACS',
  );
  expect(closingWords({ filesReceived: 3, instances: { ...some, stored: 5 } })).toMatch(/stay there\.$/);
});
