import { ConfigError } from './config.js';
import { EXIT_CONFIG } from './lifecycle.js';

/**
 * What `load` reads from the environment. A value that cannot be used ends the process with {@link EXIT_CONFIG}, after
 * one sentence a line on stderr: there is no log yet, because the configuration says how to log.
 */
export function configOrExit<T>(load: (env: Readonly<Record<string, string | undefined>>) => T): T {
  try {
    return load(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(EXIT_CONFIG);
  }
}
