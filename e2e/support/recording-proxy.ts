import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { completeParts, tally } from './stow-recorder.js';

export interface ForwardedStow {
  /** SOP Instance UIDs of a request that went through to its end; empty for one that broke off. */
  uids: string[];
  /** What the PACS answered; undefined when it did not. */
  status?: number | undefined;
  /** STOW-RS requests that were under way when this one began, itself included. */
  atOnce: number;
}

/** A proxy before a real PACS that writes down what is sent through it, and can break a connection. */
export class RecordingProxy {
  readonly url: string;
  readonly stows: ForwardedStow[] = [];
  queries = 0;
  /** Called with the bytes of a STOW-RS body that went through so far, before they do; it may hold them up. */
  onStowBytes: (bytes: number, nth: number) => Promise<void> | void = () => {};
  /** Called when the PACS has answered a STOW-RS request, before the answer is passed on. */
  onStowAnswer: (nth: number) => void = () => {};
  /** Changes what the PACS hands out of an instance (WADO-RS), without changing its length. */
  alterRetrieved: (sopInstanceUid: string, body: Buffer) => void = () => {};
  /** SOP Instance UIDs in the order they were retrieved. */
  readonly retrieved: string[] = [];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private underWay = 0;

  private constructor(server: Server, target: URL) {
    this.server = server;
    const { port } = server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}${target.pathname}`;
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      socket.on('error', () => {});
    });
    server.on('request', (incoming, outgoing) => {
      // Kept: a request that was cut off has no socket any more.
      const { socket } = incoming;
      this.forward(incoming, socket, target).then(
        async (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          const uid = /\/instances\/([^/?]+)$/.exec(incoming.url ?? '')?.[1];
          if (incoming.method !== 'GET' || uid === undefined) return answer.pipe(outgoing);
          this.retrieved.push(uid);
          const body = await buffer(answer);
          this.alterRetrieved(uid, body);
          return outgoing.end(body);
        },
        () => socket.destroy(),
      );
    });
  }

  /** @param target - DICOMweb root of the PACS */
  static async start(target: string): Promise<RecordingProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RecordingProxy(server, new URL(target));
  }

  private async forward(incoming: IncomingMessage, socket: Socket, target: URL): Promise<IncomingMessage> {
    const outgoing = request({
      host: target.hostname,
      port: target.port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
      agent: false,
    });
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    answered.catch(() => {});
    incoming.once('close', () => {
      if (!incoming.complete) outgoing.destroy();
    });
    outgoing.once('error', () => socket.destroy());
    if (incoming.method === 'POST') return this.forwardStow(incoming, outgoing, answered);
    this.queries += 1;
    outgoing.end();
    return (await answered)[0];
  }

  private async forwardStow(
    incoming: IncomingMessage,
    outgoing: ReturnType<typeof request>,
    answered: Promise<[IncomingMessage]>,
  ): Promise<IncomingMessage> {
    this.underWay += 1;
    const stow: ForwardedStow = { uids: [], atOnce: this.underWay };
    const nth = this.stows.push(stow);
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of incoming as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        await this.onStowBytes(bytes, nth);
        chunks.push(chunk);
        if (!outgoing.write(chunk)) await once(outgoing, 'drain');
      }
      outgoing.end();
      const parts = completeParts(incoming.headers['content-type'], Buffer.concat(chunks));
      stow.uids = parts.flatMap(({ sopInstanceUid }) => sopInstanceUid ?? []);
      const [answer] = await answered;
      stow.status = answer.statusCode;
      this.onStowAnswer(nth);
      return answer;
    } finally {
      this.underWay -= 1;
    }
  }

  /** How often each SOP Instance UID was in a request that reached the PACS whole. */
  sent(): Map<string, number> {
    return tally(this.stows.flatMap(({ uids }) => uids));
  }

  /** How often each SOP Instance UID was in a request that the PACS answered with success. */
  stored(): Map<string, number> {
    return tally(this.stows.flatMap(({ uids, status }) => (status === 200 ? uids : [])));
  }

  /** Breaks every connection that is open now, as the end of the process at the other side would. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}
