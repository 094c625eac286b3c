import { spawn } from 'node:child_process';
import path from 'node:path';
import { projectRoot } from './project-root.js';

export interface CommandOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Aborting it ends the command. */
  signal?: AbortSignal;
  /** Let it write to our terminal instead of collecting what it says. */
  inherit?: boolean;
}

export interface CommandResult {
  /** Exit code; 1 when a signal ended it, 127 when it could not be started, 130 when it was aborted. */
  code: number;
  /** stdout and stderr together; empty with `inherit`. */
  output: string;
}

/** Runs a program to its end. Never throws: how it went is in the result. */
export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { cwd = projectRoot, env = process.env, signal, inherit = false } = options;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd,
      env,
      ...(signal && { signal }),
      stdio: inherit ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.on('error', (error) =>
      resolve({ code: signal?.aborted ? 130 : 127, output: `${output}${error.message}` }),
    );
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Runs a JavaScript program that came by npm, for example `typescript/bin/tsc`. */
export function runPackage(
  script: string,
  args: readonly string[],
  options?: CommandOptions,
): Promise<CommandResult> {
  return runCommand(process.execPath, [path.join(projectRoot, 'node_modules', script), ...args], options);
}
