import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { completeParts, type ReceivedPart } from './stow-recorder.js';

export interface Exchange {
  kind: 'stow' | 'query' | 'retrieve';
  /** Counts the requests of this kind from 1. */
  nth: number;
  request: IncomingMessage;
  response: ServerResponse;
}

/** Returns true when it has answered (or will never answer) by itself. */
export type Fault = (exchange: Exchange) => Promise<boolean> | boolean;

/** A small real DICOMweb archive that misbehaves exactly as a test tells it. */
export class FaultyPacs {
  readonly url: string;
  /** What it holds. */
  readonly objects = new Map<string, Buffer>();
  /** SOP Instance UIDs in the order they were stored, once for each time. */
  readonly stored: string[] = [];
  /** SOP Instance UIDs that arrived, stored or not. */
  readonly arrived: string[] = [];
  fault: Fault = () => false;
  /** What it hands out for an object. */
  handOut: (bytes: Buffer) => Uint8Array = (bytes) => bytes;
  /** Failure Reason for an object it does not take. */
  refuse: (part: ReceivedPart) => number | undefined = () => undefined;
  private readonly server: Server;
  private readonly counts = { stow: 0, query: 0, retrieve: 0 };

  private constructor(server: Server) {
    this.server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rs`;
    server.on('request', (request, response) => {
      // A connection that breaks in the middle is what many tests are about.
      this.answer(request, response).catch(() => request.socket.destroy());
    });
  }

  static async start(): Promise<FaultyPacs> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultyPacs(server);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const retrieves = /\/instances\/[^/?]+$/.test(request.url ?? '');
    const kind = request.method === 'POST' ? 'stow' : retrieves ? 'retrieve' : 'query';
    this.counts[kind] += 1;
    if (await this.fault({ kind, nth: this.counts[kind], request, response })) return;
    if (kind === 'stow') await this.answerStow(request, response);
    else if (kind === 'query') this.answerQuery(request, response);
    else this.answerRetrieve(request, response);
  }

  /** Reads a STOW-RS request to its end and stores what it does not refuse. */
  async takeIn(request: IncomingMessage): Promise<ReceivedPart[]> {
    const parts = completeParts(request.headers['content-type'], await buffer(request));
    for (const part of parts) {
      if (part.sopInstanceUid !== undefined) this.arrived.push(part.sopInstanceUid);
      if (part.sopInstanceUid !== undefined && this.refuse(part) === undefined) this.hold(part);
    }
    return parts;
  }

  hold({ sopInstanceUid = '', bytes }: ReceivedPart): void {
    this.objects.set(sopInstanceUid, bytes);
    this.stored.push(sopInstanceUid);
  }

  private async answerStow(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts = await this.takeIn(request);
    const item = (part: ReceivedPart) => {
      const reason = this.refuse(part);
      return {
        '00081155': { vr: 'UI', Value: [part.sopInstanceUid] },
        ...(reason === undefined ? {} : { '00081197': { vr: 'US', Value: [reason] } }),
      };
    };
    const refused = parts.filter((part) => this.refuse(part) !== undefined);
    const stored = parts.filter((part) => this.refuse(part) === undefined);
    const status = refused.length === 0 ? 200 : stored.length === 0 ? 409 : 202;
    response.writeHead(status, { 'Content-Type': 'application/dicom+json' });
    response.end(stowAnswer(stored.map(item), refused.map(item)));
  }

  private answerQuery(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '', this.url);
    const study = pathname.split('/').at(-2) ?? '';
    const offset = Number(searchParams.get('offset'));
    const held = [...this.objects].filter(([, bytes]) => bytes.includes(study));
    const page = held.slice(offset, offset + Number(searchParams.get('limit')));
    if (page.length === 0) response.writeHead(204).end();
    else response.end(JSON.stringify(page.map(([uid]) => ({ '00080018': { vr: 'UI', Value: [uid] } }))));
  }

  private answerRetrieve(request: IncomingMessage, response: ServerResponse): void {
    const bytes = this.objects.get(request.url?.split('/').at(-1) ?? '');
    if (!bytes) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'multipart/related; type="application/dicom"; boundary=b' });
    response.write('--b\r\nContent-Type: application/dicom\r\n\r\n');
    response.write(this.handOut(bytes));
    response.end('\r\n--b--');
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}

/** The body of a STOW-RS answer with these items in its two lists; an empty list is left out. */
export function stowAnswer(referenced: unknown[], failed: unknown[]): string {
  return JSON.stringify({
    ...(referenced.length > 0 ? { '00081199': { vr: 'SQ', Value: referenced } } : {}),
    ...(failed.length > 0 ? { '00081198': { vr: 'SQ', Value: failed } } : {}),
  });
}
