import { describe, expect, it } from 'vitest';
import { findViolations, readSources } from './check-dependencies.js';
import { projectRoot } from './project-root.js';

const violationsOf = (path: string, text: string) => findViolations([{ path, text }]).length;

describe('dependency direction', () => {
  it.each([
    ['server/src/app.ts', `import { deliver } from '../../worker/src/delivery/deliver.js';`],
    ['worker/src/main.ts', `import type { App } from '@relaypacs/server/app.js';`],
    ['client/src/main.tsx', `import { loadConfig } from '@relaypacs/core/config.js';`],
    ['client/src/main.tsx', `const db = await import('@relaypacs/core/db/database.js');`],
    ['sandbox/src/main.ts', `import {\n  scan,\n} from '@relaypacs/core/dicom/scan.js';`],
    ['core/src/domain/roles.ts', `import { logger } from '../observability/logger.js';`],
    ['core/src/contract/uploads.ts', `export * from '../dicom/tags.js';`],
    ['core/src/dicom/scan.ts', `import { Uid } from '../contract/primitives.js';`],
    ['core/src/db/users.ts', `import '../../../server/src/main.js';`],
    ['migrations/202601010000_users.ts', `import { ROLES } from '../core/src/domain/roles.js';`],
    ['client/src/sending.ts', `new Worker(new URL('../../server/src/prepare.ts', import.meta.url));`],
  ])('finds what %s must not import: %s', (path, text) => {
    expect(violationsOf(path, text)).toBe(1);
  });

  it.each([
    [
      'server/src/app.ts',
      `import { loadConfig } from '@relaypacs/core/config.js';\nimport './auth/login.js';`,
    ],
    ['client/src/main.tsx', `import type { Upload } from '@relaypacs/core/contract/uploads.js';`],
    [
      'client/src/main.tsx',
      `import { scan } from '@relaypacs/core/dicom/scan.js';\nimport React from 'react';`,
    ],
    ['core/src/domain/roles.ts', `import type { Role } from '../contract/accounts.js';`],
    ['core/src/db/users.ts', `import { ROLES } from '../domain/roles.js';`],
    ['sandbox/src/main.ts', `// import { x } from '@relaypacs/core/config.js';\nimport './stow.js';`],
    ['e2e/upload.test.ts', `import { migrate } from '../scripts/migrate.js';`],
  ])('lets %s import: %s', (path, text) => {
    expect(violationsOf(path, text)).toBe(0);
  });

  it('holds in this project', () => {
    const sources = readSources(projectRoot);
    expect(sources.length).toBeGreaterThan(50);
    expect(findViolations(sources)).toEqual([]);
  });
});
