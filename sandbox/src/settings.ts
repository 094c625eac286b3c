import type { SandboxOptions } from './app.js';
import { AUTH_KINDS, type SandboxAuth } from './auth.js';
import { UNREADABLE_MODES } from './personalities/dcm4chee.js';
import { PERSONALITY_NAMES } from './personalities/personality.js';

/** An environment variable is not as it must be; the message is a sentence that says so. */
export class SettingsError extends Error {}

type Environment = Record<string, string | undefined>;

/** Reads the environment variables of the README's table. Throws {@link SettingsError}. */
export function readSettings(env: Environment): SandboxOptions & { port: number; host: string } {
  const dir = env.SANDBOX_DIR;
  if (!dir) throw new SettingsError('SANDBOX_DIR must name the folder in which the sandbox keeps its files.');
  return {
    dir,
    port: portOf(env.SANDBOX_PORT ?? '8042'),
    host: env.SANDBOX_HOST || '127.0.0.1',
    personality: oneOf(PERSONALITY_NAMES, 'SANDBOX_PERSONALITY', env.SANDBOX_PERSONALITY || 'orthanc'),
    aet: env.SANDBOX_AET || 'DCM4CHEE',
    unreadable: oneOf(UNREADABLE_MODES, 'SANDBOX_UNREADABLE', env.SANDBOX_UNREADABLE || 'invent'),
    ...wholeNumber(env, 'SANDBOX_MOST_ROWS', 'mostRows'),
    ...wholeNumber(env, 'SANDBOX_MOST_REQUEST_BYTES', 'mostRequestBytes'),
    auth: authOf(env),
  };
}

function authOf(env: Environment): SandboxAuth {
  const kind = oneOf(AUTH_KINDS, 'SANDBOX_AUTH', env.SANDBOX_AUTH || 'none');
  const needed = (name: string) => {
    const value = env[name];
    if (value) return value;
    throw new SettingsError(`${name} must be set for SANDBOX_AUTH=${kind}.`);
  };
  if (kind === 'none') return { kind };
  if (kind === 'bearer') return { kind, token: needed('SANDBOX_TOKEN') };
  const [username, password] = [needed('SANDBOX_USERNAME'), needed('SANDBOX_PASSWORD')];
  if (kind === 'basic') return { kind, username, password };
  const tokenSeconds = Number(env.SANDBOX_TOKEN_SECONDS || '300');
  if (!(tokenSeconds > 0)) throw new SettingsError('SANDBOX_TOKEN_SECONDS must be a number above 0.');
  return { kind, clientId: username, clientSecret: password, tokenSeconds };
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new SettingsError(
    `SANDBOX_PORT must be a port number from 0 (any free one) to 65535; it is "${text}".`,
  );
}

/** The setting under its name in the options; without it where the variable is unset. */
function wholeNumber<K extends string>(env: Environment, name: string, key: K): Partial<Record<K, number>> {
  const text = env[name];
  if (!text) return {};
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1) {
    throw new SettingsError(`${name} must be a whole number above 0; it is "${text}".`);
  }
  return { [key]: number } as Record<K, number>;
}

function oneOf<T extends string>(values: readonly T[], name: string, text: string): T {
  const value = values.find((each) => each === text);
  if (value !== undefined) return value;
  throw new SettingsError(`${name} must be one of ${values.join(', ')}; it is "${text}".`);
}
