/** How many tests went how. */
export interface TestSum {
  passed: number;
  failed: number;
  skipped: number;
}

/** The part of Vitest's JSON report we count. */
interface VitestReport {
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

/**
 * Counts the tests of a Vitest JSON report. A file that failed as a whole (it could not be loaded, a hook threw) counts
 * as one failed test beside those it names.
 */
export function countTests(report: unknown): TestSum {
  const sum: TestSum = { passed: 0, failed: 0, skipped: 0 };
  for (const file of (report as VitestReport).testResults) {
    const statuses = file.assertionResults.map(({ status }) => status);
    if (file.status === 'failed' && !statuses.includes('failed')) sum.failed += 1;
    for (const status of statuses) {
      if (status === 'passed') sum.passed += 1;
      else if (status === 'failed') sum.failed += 1;
      else sum.skipped += 1;
    }
  }
  return sum;
}

/** The sum as the last line of a run: `12 passed, 0 failed, 1 skipped`. */
export function sumLine({ passed, failed, skipped }: TestSum): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
