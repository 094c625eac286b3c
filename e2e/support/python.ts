import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { findPythonWithTus } from '../../scripts/test-services.js';

/**
 * Runs a Python program that may `import tusclient` (Debian's python3-tuspy).
 *
 * @param args - what the program finds in `sys.argv[1:]`
 * @returns what it printed
 * @throws Error with its last words when it fails
 */
export async function runPython(program: string, args: readonly string[]): Promise<string> {
  const python = findPythonWithTus();
  if (!python) throw new Error('Python with tuspy is missing: run "npm test" once.');
  const child = spawn(python, ['-c', program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [printed, complaints] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  if (child.exitCode !== 0) throw new Error(`Python ended with ${child.exitCode}:\n${complaints}`);
  return printed.trim();
}
