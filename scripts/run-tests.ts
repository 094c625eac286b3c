import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from './project-root.js';
import { runPackage } from './run-command.js';
import { countTests, type TestSum } from './test-report.js';

/**
 * Runs one kind of tests and counts from Vitest's own report.
 *
 * @param kind - how the names of its Vitest projects begin: `e2e` is `e2e` and `e2e-alone`
 * @param args - further arguments for Vitest: files, `-t name`
 * @param signal - aborting it ends the run, which then counts as failed
 */
export async function runTests(
  kind: string,
  args: readonly string[] = [],
  signal?: AbortSignal,
): Promise<TestSum> {
  const folder = path.join(projectRoot, 'test-results');
  const file = path.join(folder, `${kind}.json`);
  mkdirSync(folder, { recursive: true });
  rmSync(file, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const { code } = await runPackage(
    'vitest/vitest.mjs',
    ['run', '--project', `${kind}*`, '--passWithNoTests', ...reporters, ...args],
    { inherit: true, ...(signal && { signal }) },
  );
  const sum = readSum(file);
  if (sum && (code === 0 || sum.failed > 0)) return sum;
  // No report, or an error outside every test: that is a failure too.
  console.error(
    `Vitest ended with exit code ${code}${sum ? '' : ' and without a report'} (project ${kind}).`,
  );
  return { passed: 0, skipped: 0, ...sum, failed: (sum?.failed ?? 0) + 1 };
}

function readSum(file: string): TestSum | undefined {
  try {
    return countTests(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
