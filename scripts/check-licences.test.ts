import { expect, it } from 'vitest';
import { isPermissive } from './check-licences.js';

it.each(['MIT', 'MIT*', 'Apache-2.0', '(MIT OR GPL-3.0)', 'MIT AND Zlib', '(MIT OR CC0-1.0)'])(
  'accepts %s',
  (licence) => {
    expect(isPermissive(licence)).toBe(true);
  },
);

it.each([
  'GPL-3.0',
  'AGPL-3.0-only',
  'MPL-2.0',
  'MIT AND GPL-3.0',
  'UNLICENSED',
  'Custom: x.txt',
  '',
  'UNKNOWN',
])('refuses %s', (licence) => {
  expect(isPermissive(licence)).toBe(false);
});
