import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CONFIGURATION_DOC, configurationDoc } from './configuration-doc.js';

it('docs/configuration.md lists every variable as the code reads it', () => {
  expect(readFileSync(CONFIGURATION_DOC, 'utf8')).toBe(configurationDoc());
});
