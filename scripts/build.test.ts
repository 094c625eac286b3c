import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type BuildPart, buildPart } from './build.js';

let root: string;
let runs: number;
let part: BuildPart;
const write = (name: string, text: string) => writeFileSync(path.join(root, name), text);

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'build-'));
  mkdirSync(path.join(root, 'src', 'dist'), { recursive: true });
  write('src/main.ts', 'one');
  runs = 0;
  part = {
    id: 'part',
    name: 'part',
    inputs: ['src'],
    outputs: ['src/dist/main.js'],
    run: async () => {
      runs += 1;
      write('src/dist/main.js', 'built');
      return { code: 0, output: '' };
    },
  };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const build = () => buildPart(root, part, () => {});

it('builds once, and again when a source changes or an output is gone', async () => {
  expect(await build()).toBe(true);
  expect(await build()).toBe(false);
  expect(runs).toBe(1);
  write('src/main.ts', 'two');
  await build();
  await build();
  expect(runs).toBe(2);
  rmSync(path.join(root, 'src/dist/main.js'));
  await build();
  expect(runs).toBe(3);
});

it('does not build for a changed test', async () => {
  await build();
  write('src/main.test.ts', 'new');
  await build();
  expect(runs).toBe(1);
});

it('says what the compiler said, and tries again the next time', async () => {
  const { run } = part;
  part.run = async () => ({ code: 2, output: 'main.ts(1,1): error' });
  await expect(build()).rejects.toThrow('main.ts(1,1): error');
  part.run = run;
  await build();
  expect(runs).toBe(1);
});
