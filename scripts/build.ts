import { createHash, type Hash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isMainModule } from './main-module.js';
import { projectRoot } from './project-root.js';
import { type CommandResult, runPackage } from './run-command.js';

/** Something that is made from sources by one command. */
export interface BuildPart {
  /** Names its stamp file. */
  id: string;
  /** What people call it. */
  name: string;
  /** Files and folders it is made from, relative to the root. */
  inputs: string[];
  /** Files that must be there afterwards, relative to the root. */
  outputs: string[];
  run(signal?: AbortSignal): Promise<CommandResult>;
}

const MANIFESTS = ['package-lock.json', 'tsconfig.base.json'];
const SERVICES = ['core', 'server', 'worker', 'sandbox'];

const PARTS: BuildPart[] = [
  {
    id: 'services',
    name: 'server, worker and sandbox',
    inputs: [...MANIFESTS, ...SERVICES],
    outputs: ['server/dist/main.js', 'worker/dist/main.js', 'sandbox/dist/main.js'],
    run: (signal) => runPackage('typescript/bin/tsc', ['-b', ...SERVICES], signal ? { signal } : {}),
  },
  {
    id: 'client',
    name: 'web application',
    inputs: [...MANIFESTS, 'client', 'core'],
    outputs: ['client/dist/app/index.html'],
    run: (signal) =>
      runPackage('vite/bin/vite.js', ['build', '--logLevel', 'warn'], {
        cwd: path.join(projectRoot, 'client'),
        ...(signal && { signal }),
      }),
  },
];

/**
 * Builds what has changed since it was last built, judged by the contents of its sources.
 *
 * @param log - told what is built
 * @returns whether anything had to be built
 * @throws Error holding the compiler's words
 */
export async function build(log: (line: string) => void, signal?: AbortSignal): Promise<boolean> {
  let built = false;
  for (const part of PARTS) built = (await buildPart(projectRoot, part, log, signal)) || built;
  return built;
}

/**
 * Builds one part below `root`, unless its stamp says that nothing has changed.
 *
 * @returns whether it had to be built
 */
export async function buildPart(
  root: string,
  part: BuildPart,
  log: (line: string) => void,
  signal?: AbortSignal,
): Promise<boolean> {
  const stamp = path.join(root, '.cache', `build-${part.id}.sha256`);
  const now = fingerprint(root, part.inputs);
  const complete = part.outputs.every((file) => existsSync(path.join(root, file)));
  if (complete && existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return false;
  log(`Building the ${part.name} …`);
  const { code, output } = await part.run(signal);
  if (code !== 0) throw new Error(`The ${part.name} could not be built:\n${output.trim()}`);
  const missing = part.outputs.filter((file) => !existsSync(path.join(root, file)));
  if (missing.length > 0)
    throw new Error(`The build of the ${part.name} did not make ${missing.join(', ')}.`);
  mkdirSync(path.dirname(stamp), { recursive: true });
  writeFileSync(stamp, now);
  return true;
}

function fingerprint(root: string, inputs: string[]): string {
  const hash = createHash('sha256');
  for (const input of inputs) addToFingerprint(hash, root, input);
  return hash.digest('hex');
}

function addToFingerprint(hash: Hash, root: string, input: string): void {
  const absolute = path.join(root, input);
  if (statSync(absolute).isFile()) {
    hash.update(`${input}\0`).update(readFileSync(absolute)).update('\0');
    return;
  }
  for (const name of readdirSync(absolute).sort()) {
    const skipped = name === 'dist' || name === 'node_modules' || /\.(test\.tsx?|tsbuildinfo)$/.test(name);
    if (!skipped) addToFingerprint(hash, root, path.join(input, name));
  }
}

if (isMainModule(import.meta.url)) {
  try {
    await build((line) => console.log(line));
    console.log('Everything is built.');
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}
