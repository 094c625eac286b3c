// The fast loop, `npm run check`: types, lint, licences, dependency direction, unit tests; `-- --static` leaves the tests
// out, for who runs them all afterwards.
import { findViolations, readSources } from './check-dependencies.js';
import { findUnlicensed } from './check-licences.js';
import { projectRoot } from './project-root.js';
import { runPackage } from './run-command.js';
import { runTests } from './run-tests.js';
import { sumLine } from './test-report.js';

/** @returns what is wrong, empty when nothing is */
type Check = () => Promise<string>;

const CHECKS: Record<string, Check> = {
  types: () => failureOf('typescript/bin/tsc', ['-b']),
  // The build leaves the tests of the Node packages out, so that an error in one cannot keep anybody from starting.
  'types of the tests': () => failureOf('typescript/bin/tsc', ['-p', 'tsconfig.tests.json']),
  lint: () => failureOf('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.']),
  licences: async () => (await findUnlicensed()).offenders.join('\n'),
  'dependency direction': async () => findViolations(readSources(projectRoot)).join('\n'),
};

async function failureOf(script: string, args: string[]): Promise<string> {
  const { code, output } = await runPackage(script, args);
  return code === 0 ? '' : output.trim() || `exit code ${code}`;
}

async function passes(name: string, check: Check): Promise<boolean> {
  const started = performance.now();
  const failure = await check();
  console.log(
    `${failure === '' ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`,
  );
  if (failure !== '') console.log(`${failure}\n`);
  return failure === '';
}

const given = process.argv.slice(2);
const unknown = given.find((argument) => argument !== '--static');
if (unknown !== undefined) {
  console.error(`There is no option "${unknown}"; there is --static.`);
  process.exit(1);
}
const results = await Promise.all(Object.entries(CHECKS).map(([name, check]) => passes(name, check)));
let failedTests = 0;
if (!given.includes('--static')) {
  const tests = await runTests('unit');
  console.log(sumLine(tests));
  failedTests = tests.failed;
}
process.exit(results.every(Boolean) && failedTests === 0 ? 0 : 1);
