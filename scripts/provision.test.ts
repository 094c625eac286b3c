import { expect, it } from 'vitest';
import { describeMissing } from './provision.js';
import { TEST_SERVICES } from './test-services.js';

it('names exactly what is missing, the variable that stands in for it and the packages that bring it', () => {
  const missing = TEST_SERVICES.filter(({ name }) => /Redis|DCMTK/.test(name));
  expect(describeMissing(missing)).toBe(
    [
      'The end-to-end tests need:',
      '  - Redis or Valkey: put it on PATH, or set RELAYPACS_TEST_REDIS_URL to a running, empty one: redis://host:6379',
      '  - DCMTK (dcmdump): put it on PATH',
      'On Debian and Ubuntu: apt-get install redis-server dcmtk',
    ].join('\n'),
  );
});
