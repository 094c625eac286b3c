import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, expect, it } from 'vitest';
import type { IntakeFuzzResult } from './support/fuzz-intake.js';

const SEED = Number(process.env.RELAYPACS_TEST_SEED ?? 20_261_126);
const INPUTS = 20_000;
const LIMIT_MS = 150_000;
/** 250 MB were measured, 100 of which are Node with its loader of TypeScript. */
const MOST_RSS_MB = 400;

let exitCode: number | null;
let result: IntakeFuzzResult;

beforeAll(async () => {
  const script = path.join(import.meta.dirname, 'support', 'fuzz-intake.ts');
  // What an input leaves behind in the heap would end the process well before the last one.
  const options = ['--max-old-space-size=256', '--conditions=source', '--import', 'tsx'];
  const child = spawn(process.execPath, [...options, script, String(SEED), '0', String(INPUTS)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  process.off('exit', kill);
  exitCode = child.exitCode;
  const [line] = output.split('\n').filter((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`No result (exit code ${exitCode}):\n${errors.slice(-3000)}`);
  result = JSON.parse(line);
});

const sum = (counts: Record<string, number>, wanted: RegExp) =>
  Object.entries(counts).reduce((total, [key, count]) => total + (wanted.test(key) ? count : 0), 0);

it('gives each of 20,000 spoilt files a verdict with a reason, and composes what it accepts as it was hashed', () => {
  expect(result.faults, `fuzz-intake.ts ${SEED} with the numbers`).toEqual([]);
  expect(exitCode).toBe(0);
  expect(result.inputs).toBe(INPUTS);
});

it('does so soon, and in bounded memory', () => {
  expect(result.slowestMs, `input ${result.slowestInput}`).toBeLessThan(2000);
  expect(result.peakRssMb).toBeLessThan(MOST_RSS_MB);
});

it('met every verdict often: the changes were neither too wild nor too tame', () => {
  const { verdicts, composed, codes } = result;
  const often = {
    'accepted dicom': 2000,
    'rejected dicom': 2000,
    'accepted archive': 500,
    'rejected archive': 1000,
    'ignored archive': 30,
    'accepted image': 100,
    'rejected image': 50,
    'ignored dicomdir': 200,
    'ignored other': 500,
    'rejected other': 100,
    'in archive accepted dicom': 500,
    'in archive rejected dicom': 300,
    'in archive ignored other': 200,
    'in archive accepted image': 50,
    'in archive ignored dicomdir': 30,
  };
  for (const [verdict, least] of Object.entries(often)) {
    expect(verdicts[verdict] ?? 0, verdict).toBeGreaterThan(least);
  }
  expect(sum(composed, /^as it came$/)).toBeGreaterThan(30);
  expect(sum(composed, /^repaired$/)).toBeGreaterThan(30);
  expect(sum(composed, /^as it came, 1 deep/)).toBeGreaterThan(10);
  expect(sum(composed, /2 deep/)).toBeGreaterThan(3);
  expect(sum(composed, /^repaired, \d deep/)).toBeGreaterThan(3);
  // Repairs, and refusals that only a whole archive or a whole header can come to.
  const reached = [
    'UIDS_ABSENT',
    'PREAMBLE_EXECUTABLE',
    'PREAMBLE_CUT_OFF',
    'META_DAMAGED',
    'TRAILING_BYTES',
  ];
  reached.push('ARCHIVE_SALVAGED', 'ARCHIVE_NESTED_TOO_DEEP', 'ENTRY_PATH_UNSAFE');
  reached.push('MISSING_UID', 'MALFORMED_STRUCTURE', 'DEFLATE_CORRUPT', 'META_GROUP_LENGTH_TOO_LONG');
  expect(reached.filter((code) => !codes[code])).toEqual([]);
});
