import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below what systems give to outgoing connections (32768 and up), one of which could have a port before its server
 * begins to listen; and so many that two who look at the same moment do not meet.
 */
const LOWEST = 12_000;
const BEYOND = 32_000;

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(LOWEST, BEYOND);
    if ((await whyPortIsTaken(port, '127.0.0.1')) === undefined) return port;
  }
  throw new Error('No free port was found on 127.0.0.1');
}

/**
 * Why a server could not listen there, as an error code (`EADDRINUSE`, `EACCES`, …); undefined when it could.
 *
 * @param port - 1 to 65535
 */
export function whyPortIsTaken(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
