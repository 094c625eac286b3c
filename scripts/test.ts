// All tests: `npm test`. One kind: `npm test -- --project unit`. Further arguments go to Vitest: `npm test -- tus -t checksum`.
import { build } from './build.js';
import { beginTestRun, endLeftoverProcesses } from './leftover-processes.js';
import { provision } from './provision.js';
import { runTests } from './run-tests.js';
import { sumLine, type TestSum } from './test-report.js';

const PROJECTS = ['unit', 'e2e'];
/** A run that takes longer hangs: it is ended, and fails. */
const LIMIT_MINUTES = 35;

/** Takes `--project NAME` and `--project=NAME` out of the arguments; the rest is Vitest's. */
function readArguments(given: readonly string[]): { projects: string[]; passedOn: string[] } {
  const projects: string[] = [];
  const passedOn: string[] = [];
  for (let index = 0; index < given.length; index += 1) {
    const argument = given[index] ?? '';
    if (argument === '--project') {
      index += 1;
      projects.push(given[index] ?? '');
    } else if (argument.startsWith('--project=')) projects.push(argument.slice('--project='.length));
    else passedOn.push(argument);
  }
  const unknown = projects.find((project) => !PROJECTS.includes(project));
  if (unknown !== undefined) {
    throw new Error(`There is no test project "${unknown}"; there are ${PROJECTS.join(' and ')}.`);
  }
  return { projects: projects.length > 0 ? projects : PROJECTS, passedOn };
}

const say = (line: string) => console.log(line);
const sum: TestSum = { passed: 0, failed: 0, skipped: 0 };
const stopRequest = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopRequest.abort());
setTimeout(() => {
  console.error(`The tests did not end within ${LIMIT_MINUTES} minutes.`);
  stopRequest.abort();
}, LIMIT_MINUTES * 60_000);
const run = beginTestRun();

try {
  const { projects, passedOn } = readArguments(process.argv.slice(2));
  if (projects.includes('e2e')) {
    await build(say, stopRequest.signal);
    await provision(say);
  }
  for (const project of projects) {
    if (stopRequest.signal.aborted) throw new Error('The tests were stopped.');
    const { passed, failed, skipped } = await runTests(project, passedOn, stopRequest.signal);
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped += skipped;
  }
  if (sum.passed + sum.failed === 0) throw new Error('No tests ran.');
} catch (error) {
  console.error(`\n${(error as Error).message}\n`);
  sum.failed += 1;
} finally {
  const ended = endLeftoverProcesses(run);
  if (ended.length > 0) console.error(`Ended what the tests left running:\n  ${ended.join('\n  ')}`);
}
say(sumLine(sum));
process.exit(sum.failed > 0 ? 1 : 0);
