import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from './project-root.js';
import { runCommand } from './run-command.js';
import { findProgram } from './test-services.js';

const SOURCE = path.join(projectRoot, 'e2e', 'support', 'loopback-bind.c');
const LIBRARY = path.join(projectRoot, '.cache', 'loopback-bind.so');

/**
 * The library that keeps a server on loopback which can only listen on all addresses (LD_PRELOAD), compiled when it is
 * not there yet.
 *
 * @returns undefined where it cannot be had: no C compiler, or not Linux
 */
export async function loopbackShim(): Promise<string | undefined> {
  if (process.platform !== 'linux') return undefined;
  if (existsSync(LIBRARY) && statSync(LIBRARY).mtimeMs >= statSync(SOURCE).mtimeMs) return LIBRARY;
  const compiler = findProgram('cc', 'gcc', 'clang');
  if (!compiler) return undefined;
  mkdirSync(path.dirname(LIBRARY), { recursive: true });
  const draft = `${LIBRARY}.${process.pid}`;
  const { code, output } = await runCommand(compiler, [
    '-shared',
    '-fPIC',
    '-O1',
    '-o',
    draft,
    SOURCE,
    '-ldl',
  ]);
  if (code !== 0) {
    console.warn(`The loopback library could not be compiled: ${output.trim()}`);
    return undefined;
  }
  renameSync(draft, LIBRARY);
  return LIBRARY;
}
