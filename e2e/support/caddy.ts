import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from '../../scripts/free-port.js';
import { findProgram } from '../../scripts/test-services.js';
import { startServer } from './processes.js';

export interface CaddyOptions {
  /** How it chooses among the upstreams. */
  policy?: 'round_robin' | 'random' | 'first' | 'least_conn' | 'ip_hash';
}

/** A real Caddy as reverse proxy, on loopback and plain HTTP. */
export interface Caddy {
  readonly baseUrl: string;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/**
 * Starts Caddy in front of some servers. It passes bodies on as they come, keeps Host and sets X-Forwarded-*.
 *
 * @param upstreams - base URLs, `http://host:port`
 */
export async function startCaddy(
  upstreams: readonly string[],
  { policy = 'round_robin' }: CaddyOptions = {},
): Promise<Caddy> {
  const program = findProgram('caddy');
  if (!program) throw new Error('Caddy is missing: run "npm test" once.');
  const dir = await mkdtemp(path.join(tmpdir(), 'relaypacs-caddy-'));
  const port = await freePort();
  const caddyfile = path.join(dir, 'Caddyfile');
  await writeFile(caddyfile, configuration(port, upstreams, policy));
  const server = await startServer({
    command: program,
    args: ['run', '--config', caddyfile, '--adapter', 'caddyfile'],
    cwd: dir,
    env: { PATH: process.env.PATH, HOME: dir, XDG_CONFIG_HOME: dir, XDG_DATA_HOME: dir },
    logFile: path.join(dir, 'caddy.log'),
    isReady: async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok,
  });
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    async stop() {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function configuration(port: number, upstreams: readonly string[], policy: string): string {
  return `{
	admin off
	auto_https off
	grace_period 1s
}
http://:${port} {
	bind 127.0.0.1
	reverse_proxy ${upstreams.map((upstream) => new URL(upstream).host).join(' ')} {
		lb_policy ${policy}
		flush_interval -1
	}
}
`;
}
