import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { addressOf } from './addresses.js';
import { Archive } from './archive.js';
import { type Guard, guardOf, type SandboxAuth, turnAway } from './auth.js';
import type { Exchange, Surroundings } from './exchange.js';
import { Abandoned, pause } from './faults/connection.js';
import { FaultBoard, RequestFaults } from './faults/fault-board.js';
import { IndexDelay } from './faults/index-delay.js';
import { meetTransportFaults } from './faults/transport.js';
import { HttpError, pathOf, sendError, sendText } from './http-answers.js';
import { AWS } from './personalities/aws.js';
import { AZURE } from './personalities/azure.js';
import { dcm4chee, type UnreadableMode } from './personalities/dcm4chee.js';
import { GOOGLE } from './personalities/google.js';
import { ORTHANC } from './personalities/orthanc.js';
import type { Personality, PersonalityName } from './personalities/personality.js';
import { routeDicomWeb, routeOthers } from './routes.js';
import { Statistics } from './statistics.js';

export interface SandboxOptions {
  /** Folder for the DICOM files; made when it is not there. */
  dir: string;
  /** TCP port; 0 takes a free one. */
  port?: number;
  /** Address to listen on; other than loopback only where everybody who reaches it may read and write. */
  host?: string;
  /** The archive to play; Orthanc where none is named. */
  personality?: PersonalityName;
  /** dcm4chee's application entity title, part of its address; `DCM4CHEE` where none is named. */
  aet?: string;
  /** What dcm4chee answers to a part that cannot be read; `invent` where nothing is said. */
  unreadable?: UnreadableMode;
  /** The most rows of one answer to a search, where the archive played would give more. */
  mostRows?: number;
  /** The most bytes of a STOW request, in place of what the archive played takes. */
  mostRequestBytes?: number;
  /** Who is let in to DICOMweb; everybody where nothing is said. */
  auth?: SandboxAuth;
}

export interface Sandbox {
  port: number;
  /** DICOMweb root, for `PACS_URL`. */
  url: string;
  /** Where the page, `/faults`, `/statistics` and the token endpoint are; without a slash at the end. */
  origin: string;
  /** Stops listening, gives requests under way up to 5 seconds and ends the rest; those held up by faults at once. */
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
  const { dir, port = 0, host = '127.0.0.1', auth = { kind: 'none' } } = options;
  const personality = personalityOf(options);
  const guard = guardOf(auth);
  const stopping = new AbortController();
  const surroundings = {
    personality,
    limits: { mostRows: options.mostRows ?? Infinity, mostRequestBytes: options.mostRequestBytes },
    authName: auth.kind,
    board: new FaultBoard(),
    indexDelay: new IndexDelay(),
    statistics: new Statistics(),
    stopping: stopping.signal,
  };
  const underWay = new Set<ServerResponse>();
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) => {
    underWay.add(response);
    response.on('close', () => underWay.delete(response));
    void archive.then(
      (opened) => answer({ ...surroundings, archive: opened }, guard, request, response),
      // Whoever starts the sandbox is told why it does not open.
      () => response.destroy(),
    );
  });
  server.setTimeout(IDLE_MS);
  const listening = new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  // Only then, because opening clears leftovers: a second sandbox on the same port and folder must not get that far.
  const archive = listening.then(() => Archive.open(dir));
  await archive.catch((error) => {
    server.close();
    server.closeAllConnections();
    throw error;
  });
  const address = server.address() as AddressInfo;
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    stopping.abort();
    const answered = Promise.all(
      [...underWay].map((response) => new Promise((resolve) => response.once('close', resolve))),
    );
    await Promise.race([answered, setTimeout(CLOSE_GRACE_MS, undefined, { ref: false })]);
    // Also those on which no request has come yet, which Node does not count among the idle.
    server.closeAllConnections();
    await closed;
  };
  const hostInUrl = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  const origin = `http://${hostInUrl}:${address.port}`;
  return { port: address.port, url: `${origin}${personality.root}`, origin, close };
}

function personalityOf({
  personality,
  aet = 'DCM4CHEE',
  unreadable = 'invent',
}: SandboxOptions): Personality {
  if (personality === 'dcm4chee') return dcm4chee(aet, unreadable);
  if (personality === 'azure') return AZURE;
  if (personality === 'google') return GOOGLE;
  return personality === 'aws' ? AWS : ORTHANC;
}

/** Answers one request; no failure leaves it. */
async function answer(
  surroundings: Surroundings,
  guard: Guard,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  const exchange: Exchange = {
    ...surroundings,
    request,
    response,
    faults: new RequestFaults([]),
    incoming: request,
    outgoing: (chunks) => chunks,
    answerDelayMs: 0,
  };
  try {
    await route(exchange, guard);
  } catch (error) {
    if (error instanceof Abandoned || response.headersSent || request.socket.destroyed) {
      response.destroy();
      return;
    }
    if (!(error instanceof HttpError)) process.stderr.write(`${(error as Error).stack ?? error}\n`);
    sendError(exchange, error instanceof HttpError ? error : HttpError.internal());
  }
}

async function route(plain: Exchange, { issuer, gate }: Guard): Promise<void> {
  const { board, personality, request, response, statistics } = plain;
  const path = pathOf(request);
  const address = addressOf(personality, request.method ?? '', path);
  if (address.area === 'other') return routeOthers(plain, path);
  statistics.asked(address.kind);
  const exchange = { ...plain, faults: board.forRequest(address.kind) };
  if (await meetTransportFaults(exchange)) return;
  if (address.area === 'dicomweb') {
    if (!(await turnAway(exchange, { gate }))) await routeDicomWeb(exchange, address.path);
    return;
  }
  if (!issuer || request.method !== 'POST') throw HttpError.unknownResource();
  const token = await issuer.answer(request, exchange.incoming);
  await pause(exchange, exchange.answerDelayMs);
  sendText(response, token);
}
