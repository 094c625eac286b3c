import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Archive } from './archive.js';
import { HttpError, sendError } from './http-answers.js';
import { route } from './routes.js';

export interface SandboxOptions {
  /** Folder for the DICOM files; made when it is not there. */
  dir: string;
  /** TCP port; 0 takes a free one. */
  port?: number;
  /** Address to listen on; other than loopback only where everybody who reaches it may read and write. */
  host?: string;
}

export interface Sandbox {
  port: number;
  /** DICOMweb root, for `PACS_URL`. */
  url: string;
  /** Stops listening, gives requests under way up to 5 seconds and ends the rest. */
  close(): Promise<void>;
}

/** Orthanc closes idle connections after a second; clients must cope with a reused socket that is gone. */
const KEEP_ALIVE_MS = 1000;
/** A connection on which nothing moves is ended after ten minutes. */
const IDLE_MS = 600_000;
const CLOSE_GRACE_MS = 5000;

/**
 * Starts a DICOMweb archive in this process. Rejects with the cause when the folder cannot be used or the port is
 * taken (`EADDRINUSE`).
 */
export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { dir, port = 0, host = '127.0.0.1' } = options;
  const underWay = new Set<ServerResponse>();
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) => {
    underWay.add(response);
    response.on('close', () => underWay.delete(response));
    void answer(archive, request, response);
  });
  server.setTimeout(IDLE_MS);
  const listening = new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  // Only then, because opening clears leftovers: a second sandbox on the same port and folder must not get that far.
  const archive = listening.then(() => Archive.open(dir));
  await archive.catch((error) => {
    server.close();
    throw error;
  });
  const address = server.address() as AddressInfo;
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    const answered = Promise.all(
      [...underWay].map((response) => new Promise((resolve) => response.once('close', resolve))),
    );
    await Promise.race([answered, setTimeout(CLOSE_GRACE_MS, undefined, { ref: false })]);
    // Also those on which no request has come yet, which Node does not count among the idle.
    server.closeAllConnections();
    await closed;
  };
  const hostInUrl = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return { port: address.port, url: `http://${hostInUrl}:${address.port}/dicom-web`, close };
}

/** Answers one request; no failure leaves it. */
async function answer(
  archive: Promise<Archive>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  try {
    await route(await archive, request, response);
  } catch (error) {
    if (response.headersSent || request.socket.destroyed) {
      response.destroy();
      return;
    }
    if (!(error instanceof HttpError)) process.stderr.write(`${(error as Error).stack ?? error}\n`);
    sendError(request, response, error instanceof HttpError ? error : HttpError.internal());
  }
}
