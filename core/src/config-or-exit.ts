import { ConfigError } from './config.js';

/**
 * What `load` reads from the environment. A value that cannot be used ends the process with 1, after one sentence a
 * line on stderr: there is no log yet, because the configuration says how to log.
 */
export function configOrExit<T>(load: (env: Readonly<Record<string, string | undefined>>) => T): T {
  try {
    return load(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
