import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

// Workspace packages are tested from their sources: the `source` condition of core's exports.
const resolve = { conditions: ['source'] };
const ssr = { resolve: { conditions: ['source'] } };

/** They measure time, memory or processor, or make many thousand requests: another file beside them would be measured too. */
const ALONE = [
  'e2e/intake-fuzz.test.ts',
  'e2e/storage.test.ts',
  'e2e/tus-broken.test.ts',
  'e2e/tus-fuzz.test.ts',
  'e2e/tus-pacing.test.ts',
  'e2e/tus-s3-faults.test.ts',
  'e2e/tus-servers.test.ts',
  'e2e/tus-takeover.test.ts',
];

const endToEnd = (
  name: string,
  files: { include: string[]; exclude: string[] },
  maxWorkers: number,
): TestProjectInlineConfiguration => ({
  resolve,
  ssr,
  test: {
    ...files,
    name,
    maxWorkers,
    globalSetup: 'e2e/support/database-template.ts',
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // Only what never comes is waited for as long: a busy machine may be slow.
    expect: { poll: { timeout: 10_000 } },
  },
});

const NOT_SOURCES = ['**/node_modules/**', '**/dist/**'];

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'unit',
          // Only to catch a hang: two processes that decode pictures side by side may be slow.
          testTimeout: 30_000,
          include: ['{core,server,worker,client,sandbox,scripts,migrations}/**/*.test.{ts,tsx}'],
          exclude: NOT_SOURCES,
        },
      },
      // Most files wait more than they compute. Vitest runs a project of one worker after those of several.
      endToEnd('e2e', { include: ['e2e/**/*.test.ts'], exclude: [...NOT_SOURCES, ...ALONE] }, 2),
      endToEnd('e2e-alone', { include: ALONE, exclude: NOT_SOURCES }, 1),
    ],
  },
});
